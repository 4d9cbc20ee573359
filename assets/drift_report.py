"""What moved, when and how: a day's findings as a table, a heat map of the days before, distributions that drifted."""

from datetime import date, timedelta

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import OWNERS, TRANSACTIONS_PROFILE, WAREHOUSE_POOL
from assets.feature_vectors import VECTORS
from assets.metadata import console_link, fingerprint, table_schema
from assets.partitions import DAILY, days_of, labels
from assets.predictions import PREDICTIONS
from bnpl_features.connect.models import drift_rules
from bnpl_features.derive.profile import ALL
from bnpl_features.drift.classifier import domain_classifier_auc
from bnpl_features.drift.examination import Rules, all_findings, examine_day, verdicts_of
from bnpl_features.drift.findings import INDEX, TRAILING, VECTORS_FINDING, Finding, vectors_finding
from bnpl_features.drift.findings_table import FINDINGS, read_findings, write_findings
from bnpl_features.drift.plots import distributions_png, heat_map_png
from bnpl_features.drift.verdict import Verdict
from bnpl_features.risk_model.plots import markdown_image
from bnpl_features.warehouse.warehouse import Labels, Warehouse
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

DRIFT_REPORT = dg.AssetKey("drift_report")
HEAT_MAP_DAYS = 28
MOST_DISTRIBUTIONS = 9


@dg.asset(
    key=DRIFT_REPORT,
    description="Every measure of drift of the day, by feature and segment; a heat map; before and after.",
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[VECTORS, TRANSACTIONS_PROFILE, PREDICTIONS],
    group_name="features",
    owners=OWNERS,
    kinds={"bigquery", "table"},
    code_version=fingerprint(" ".join(column.name for column in FINDINGS.columns)),
    metadata={"dagster/column_schema": table_schema(FINDINGS)},
    pool=WAREHOUSE_POOL,
)
def drift_report(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult:
    """A rerun replaces the day's findings; the pictures are of the last day of a range."""
    metadata: dict[str, object] = {}
    with library_errors(), warehouse.open() as engine:
        chosen = settings.load()
        rules = drift_rules(chosen)
        for day in days_of(context):
            metadata = _report(engine, day, rules, labels(context, FINDINGS.name, day))
        metadata |= console_link(chosen.console.public_url, "/drift")
    return dg.MaterializeResult(metadata=metadata)


def _report(engine: Warehouse, day: date, rules: Rules, asked_by: Labels) -> dict[str, object]:
    examined = examine_day(engine, day, rules, asked_by)
    findings = [*all_findings(examined), *_all_features(engine, day, rules, asked_by)]
    written = write_findings(engine, day, findings, asked_by)
    verdicts = verdicts_of(examined, rules)
    metadata: dict[str, object] = {
        "dagster/partition_row_count": written,
        "retraining_asked": any(one.retraining_asked for one in verdicts.values()),
        "verdicts": dg.MetadataValue.md(_table(verdicts)),
    }
    metadata |= {one.measure: one.value for one in findings if one.feature == VECTORS_FINDING}
    first = day - timedelta(days=HEAT_MAP_DAYS - 1)
    history = read_findings(engine, first, day, asked_by, segment=ALL, measure=INDEX)
    indices = {
        when: {f"{one.subject} {one.feature}": one.value for one in of_day if one.reference == TRAILING}
        for when, of_day in history.items()
    }
    if any(indices.values()):
        metadata["heat_map"] = _image(heat_map_png(indices, rules.limits), "stability index by feature and day")
    by_name = {one.subject.name: one for one in examined}
    moved = [(by_name[subject], name) for subject, verdict in verdicts.items() for name in verdict.drifted_features]
    if shown := [(one, name) for one, name in moved if name in one.whole.current.sketches][:MOST_DISTRIBUTIONS]:
        pictured = [(one.whole, name) for one, name in shown]
        metadata["distributions"] = _image(distributions_png(pictured), "before and after")
    return metadata


def _all_features(engine: Warehouse, day: date, rules: Rules, asked_by: Labels) -> list[Finding]:
    week_before = day - timedelta(days=rules.reference_days)
    area = domain_classifier_auc(engine, week_before, day, asked_by)
    return [] if area is None else [vectors_finding(area, rules.limits)]


def _image(png: bytes, title: str) -> dg.MetadataValue:
    return dg.MetadataValue.md(markdown_image(png, title))


def _table(verdicts: dict[str, Verdict]) -> str:
    rows = [
        f"| {name} | {one.severity} | {one.cause} | {one.largest_index:.3f} | {', '.join(one.drifted_features[:5])} |"
        for name, one in verdicts.items()
    ]
    return "| subject | verdict | cause | largest index | drifted |\n|---|---|---|---|---|\n" + "\n".join(rows)
