"""Does a day look like its references, and if not: did the world change, or does the pipeline look broken?"""

from collections.abc import Sequence

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import TRANSACTIONS_PROFILE, group_key
from assets.gate import OVERRIDE_REASON
from assets.partitions import DAILY, days_of, labels
from bnpl_features.connect.models import drift_rules
from bnpl_features.derive.profiled import TRANSACTIONS, Subject, group_subject
from bnpl_features.drift.examination import Examined, examine_subject
from bnpl_features.drift.findings import INDEX, NEAR, Finding, Severity
from bnpl_features.drift.references import reference_in_force
from bnpl_features.drift.verdict import Verdict, judge
from bnpl_features.errors import RelationMissing
from bnpl_features.features.catalog import GROUPS
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

OVERRIDE_TAG = "bnpl/drift_override"
"""A run tag whose value is an operator's reason to publish in spite of drift; it lands in the manifest."""

RETRAINING_ASKED, DRIFTED_FEATURES, LARGEST_INDEX, CAUSE = (
    "retraining_asked",
    "drifted_features",
    "largest_index",
    "cause",
)
"""Metadata of every evaluation: a bool, a JSON list of names, a float, the text of a `Cause`. Sensors build on them."""


def drift_check(asset: dg.AssetKey, subject: Subject) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="drift",
        description="Warns of a changed world and asks for retraining; blocks where it looks like a broken pipeline.",
        blocking=True,
        partitions_def=DAILY,
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
    ) -> dg.AssetCheckResult:
        found: list[tuple[Examined, Verdict]] = []
        with library_errors(), warehouse.open() as engine:
            rules = drift_rules(settings.load())
            for day in days_of(context):
                asked_by = labels(context, subject.table, day)
                training = reference_in_force(engine, day, asked_by)
                examined = examine_subject(engine, subject, day, rules, asked_by, training)
                upstream: Sequence[Finding] = ()
                if subject is not TRANSACTIONS:
                    try:
                        upstream = examine_subject(engine, TRANSACTIONS, day, rules, asked_by, training).of_all
                    except RelationMissing:  # features computed without the profile of the purchases
                        upstream = ()
                found.append((examined, judge(examined.of_all, upstream, rules.limits)))
        return _result(found, context.run.tags.get(OVERRIDE_TAG, "").strip())

    return check


def _result(found: Sequence[tuple[Examined, Verdict]], override: str) -> dg.AssetCheckResult:
    """The worst day of the run speaks for it."""
    examined, worst = max(found, key=lambda one: (list(Severity).index(one[1].severity), one[1].largest_index))
    is_error = worst.severity is Severity.ERROR
    season = examined.whole.season
    metadata: dict[str, object] = {
        RETRAINING_ASKED: any(verdict.retraining_asked for _, verdict in found),
        DRIFTED_FEATURES: dg.MetadataValue.json(list(worst.drifted_features)),
        LARGEST_INDEX: worst.largest_index,
        CAUSE: worst.cause.value,
        "references": list(examined.whole.references),
        "stability_index": dg.MetadataValue.md(_table(examined)),
    }
    if season:
        metadata["season"] = f"{season.name}: limits are {season.widen:g} times as wide"
    if override and is_error:
        metadata[OVERRIDE_REASON] = override
    drifted = f"drifted: {worst.explanation} ({worst.cause})"
    has_reference = any(one.whole.has_reference for one, _ in found)
    return dg.AssetCheckResult(
        passed=worst.severity is Severity.STABLE,
        severity=dg.AssetCheckSeverity.ERROR if is_error and not override else dg.AssetCheckSeverity.WARN,
        description=(drifted if worst.explanation else None if has_reference else "no days to compare with yet"),
        metadata=metadata,
    )


def _table(examined: Examined) -> str:
    indices = [one for one in examined.of_all if one.measure == INDEX and one.reference in NEAR]
    rows = "\n".join(
        f"| {one.feature} | {one.value:.4f} | {one.verdict} |" for one in sorted(indices, key=lambda one: -one.value)
    )
    return f"| feature | stability index | verdict |\n|---|---|---|\n{rows}"


drift_checks = [
    drift_check(TRANSACTIONS_PROFILE, TRANSACTIONS),
    *(drift_check(group_key(group), group_subject(group)) for group in GROUPS),
]
