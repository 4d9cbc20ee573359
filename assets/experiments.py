"""Experiments, judged daily: a report of each that runs, and the stop of one that does harm."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL
from assets.metadata import console_link
from assets.monitoring import tell_subject
from assets.predictions import EXPERIMENTS_GROUP, OWNERS, PREDICTIONS, predictions
from assets.transactions import TRANSACTIONS
from bnpl_features.connect.serving import guardrails_of, open_shelf
from bnpl_features.monitoring.experiments import experiment_families, without_experiment
from bnpl_features.scoring.experiments.analysis import Report
from bnpl_features.scoring.experiments.reporting import enforce, report_on
from bnpl_features.scoring.experiments.shelf import read_definitions
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource


@dg.asset(
    description="What came of the running experiment, by arm, valid at any look; guardrails stop one that does harm.",
    deps=[PREDICTIONS, TRANSACTIONS],
    group_name=EXPERIMENTS_GROUP,
    owners=OWNERS,
    kinds={"python"},
    code_version="1",
    pool=WAREHOUSE_POOL,
)
def experiment_report(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult:
    chosen = settings.load()
    as_of = datetime.now(UTC).date() - timedelta(days=1)
    with library_errors(), open_shelf(chosen.scoring, chosen.store) as shelf, warehouse.open() as engine:
        running = read_definitions(shelf).running
        if running is None:
            tell_subject(chosen, context.log, "experiment", without_experiment())
            return dg.MaterializeResult(metadata={"running": "none"})
        report = report_on(
            engine,
            chosen.source.checkout_sql(engine.columns(chosen.source.relation)),
            running,
            as_of=as_of,
            maturity_days=chosen.model.maturity_days,
            labels={"asset": "experiment_report", "run": context.run.run_id},
        )
        harm = enforce(shelf, running, report, guardrails_of(chosen.scoring))
    tell_subject(chosen, context.log, "experiment", experiment_families(running.name, report, harm))
    for one in harm:
        context.log.error("experiment %s was stopped: %s", running.name, one)
    return dg.MaterializeResult(
        metadata={
            **console_link(chosen.console.public_url, "/experiments"),
            "running": running.name,
            "as_of": str(as_of),
            "stopped_because": "; ".join(harm) or "it goes on",
            "evidence_against_split": min(report.evidence, 1e300),
            "customers_left_out": report.left_out,
            "arms": dg.MetadataValue.md(_arms(report)),
            "comparisons": dg.MetadataValue.md(_comparisons(report)),
        }
    )


experiment_assets = [predictions, experiment_report]


def _arms(report: Report) -> str:
    head = "| arm | customers | purchases | mature | approval rate | default rate, approved | precision |\n"
    rows = [
        f"| {arm.arm}{' (shadow)' if arm.is_shadow else ''} | {arm.customers:,} | {arm.purchases:,} | {arm.matured:,} "
        f"| {arm.approval_rate} | {arm.default_rate} | {arm.precision} |"
        for arm in report.arms
    ]
    return head + "|---|---|---|---|---|---|---|\n" + "\n".join(rows)


def _comparisons(report: Report) -> str:
    head = "| arm less the control | approval | defaults a purchase scored |\n|---|---|---|\n"
    return head + "\n".join(f"| {one.arm} | {one.approval} | {one.defaults} |" for one in report.comparisons)
