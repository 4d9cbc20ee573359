"""The models' matured performance, daily: predictions beside what became of them, and whether that is still good."""

from datetime import date
from typing import Any

import dagster as dg

from assets.experiments import EXPERIMENTS_GROUP, OWNERS
from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL
from assets.metadata import fingerprint
from assets.partitions import DAILY, labels
from assets.predictions import PREDICTIONS
from assets.transactions import TRANSACTIONS
from bnpl_features.connect.models import model_registry
from bnpl_features.risk_model.registry import CHAMPION, Registry, evaluation_of, versions
from bnpl_features.risk_model.training import MODEL_NAMES
from bnpl_features.scoring.performance import Bounds, Performance, degradation, measured, of_version, outcomes_query
from bnpl_features.settings import RetrainingSettings
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

PERFORMANCE = dg.AssetKey("model_performance")
DEGRADED = "not_degraded"
ASKED, FINDINGS = "retraining_asked", "degraded"
"""Metadata of the check that the retraining sensor reads."""

_ANY_DAY = date(2024, 6, 1)


@dg.asset(
    key=PERFORMANCE,
    description="Calibration and discrimination of each model version on the newest purchases with mature outcomes.",
    deps=[PREDICTIONS, TRANSACTIONS],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    group_name=EXPERIMENTS_GROUP,
    owners=OWNERS,
    kinds={"bigquery", "sql"},
    code_version=fingerprint(outcomes_query("transactions", _ANY_DAY, _ANY_DAY, 60).sql),
    pool=WAREHOUSE_POOL,
    check_specs=[
        dg.AssetCheckSpec(
            DEGRADED,
            asset=PERFORMANCE,
            description="The champions' defaults are as many as predicted, and ranked as well as when they were new.",
            partitions_def=DAILY,
        )
    ],
)
def model_performance(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult:
    loaded = settings.load()
    day = date.fromisoformat(context.partition_key)
    with library_errors(), warehouse.open() as engine:
        measures = measured(
            engine,
            loaded.source.checkout_sql(engine.columns(loaded.source.relation)),
            as_of=day,
            days=loaded.retraining.performance_days,
            maturity_days=loaded.model.maturity_days,
            resamples=loaded.model.resamples,
            labels=labels(context, PERFORMANCE.to_user_string(), day),
        )
        said, findings = _judged(model_registry(loaded.model), measures, loaded.retraining)
    result = dg.AssetCheckResult(
        check_name=DEGRADED,
        passed=not findings,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(findings or said),
        metadata={ASKED: bool(findings), FINDINGS: findings},
    )
    metadata: dict[str, Any] = {"versions": len(measures), "figures": dg.MetadataValue.md(_table(measures))}
    return dg.MaterializeResult(metadata=metadata, check_results=[result])


def _judged(
    registry: Registry, measures: list[Performance], settings: RetrainingSettings
) -> tuple[list[str], list[str]]:
    """A line on each champion, and how any of them is degraded."""
    bounds = Bounds(settings.calibration_ratio, settings.auc_loss, settings.least_defaults)
    said, findings = [], []
    for name in MODEL_NAMES:
        champion = next((one for one in versions(registry, name) if CHAMPION in one.aliases), None)
        if champion is None:
            said.append(f"{name} has no champion")
            continue
        performance = of_version(measures, name, champion.number)
        if performance is None or performance.defaults < bounds.least_defaults:
            seen = performance.defaults if performance else 0
            said.append(f"{name} {champion.number}: {seen} mature defaults, {bounds.least_defaults} are needed")
            continue
        evaluation = evaluation_of(registry, champion)
        figures = evaluation.figures.get(name, {}) if evaluation else {}
        promised = figures["roc_auc"].value if "roc_auc" in figures else None
        found = [f"{name} {champion.number}: {one}" for one in degradation(performance, promised, bounds)]
        findings += found
        said += [] if found else [f"{name} {champion.number} is as good as it was"]
    return said, findings


def _table(measures: list[Performance]) -> str:
    head = (
        "| model | version | | purchases | defaults | observed / expected | intercept | slope | ROC-AUC | to be had |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(
        f"| {one.model} | {one.version} | {'shadow' if one.is_shadow else ''} | {one.purchases:,} | {one.defaults:,} "
        f"| {one.observed_to_expected} | {one.calibration_intercept:.3f} | {one.calibration_slope:.3f} "
        f"| {one.roc_auc} | {one.auc_expected} |"
        for one in measures
    )
