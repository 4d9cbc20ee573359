"""Days in a Dagster instance's event log, as real runs write them, without the work of the assets."""

import json
from collections.abc import Sequence
from datetime import date
from functools import cache

import dagster as dg

from assets.feature_vectors import VECTORS
from assets.partitions import DAILY
from assets.performance import DEGRADED, PERFORMANCE
from assets.publication import PUBLISHED

GROUP = dg.AssetKey("feature_volume")
GATE = [dg.AssetCheckKey(GROUP, "drift")]
_SAID = "said"


def computed(
    instance: dg.DagsterInstance,
    day: date,
    *,
    drifted: Sequence[str] = (),
    broken: Sequence[str] = (),
    degraded: Sequence[str] = (),
    published: bool = True,
) -> None:
    """One day: a group and the vectors, what the checks say of them, and the publication where nothing blocks it."""
    said = {"drifted": list(drifted), "broken": list(broken), "degraded": list(degraded)}
    keys = {GROUP, VECTORS, PERFORMANCE, *([PUBLISHED] if published else [])}
    checks = {*GATE, dg.AssetCheckKey(PERFORMANCE, DEGRADED)}
    _job().get_subset(asset_selection=keys, asset_check_selection=checks).execute_in_process(
        instance=instance,
        partition_key=day.isoformat(),
        tags={_SAID: json.dumps(said)},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


@cache
def _job() -> dg.JobDefinition:
    @dg.asset(key=GROUP, partitions_def=DAILY)
    def group() -> None: ...

    @dg.asset_check(asset=GROUP, name="drift", blocking=True, partitions_def=DAILY)
    def drift(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        said = json.loads(context.run.tags[_SAID])
        found = [*said["broken"], *said["drifted"]]
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if said["broken"] else dg.AssetCheckSeverity.WARN,
            description=f"drifted: {', '.join(found)}" if found else None,
            metadata={"retraining_asked": bool(found) and not said["broken"], "drifted_features": found},
        )

    worse = dg.AssetCheckSpec(DEGRADED, asset=PERFORMANCE, partitions_def=DAILY)

    @dg.asset(key=PERFORMANCE, partitions_def=DAILY, check_specs=[worse])
    def performance(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        degraded = json.loads(context.run.tags[_SAID])["degraded"]
        result = dg.AssetCheckResult(
            check_name=DEGRADED,
            passed=not degraded,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"retraining_asked": bool(degraded), "degraded": degraded},
        )
        return dg.MaterializeResult(check_results=[result])

    @dg.asset(key=VECTORS, deps=[GROUP], partitions_def=DAILY)
    def vectors() -> None: ...

    @dg.asset(key=PUBLISHED, deps=[VECTORS], partitions_def=DAILY)
    def published() -> None: ...

    selection = dg.AssetSelection.all() | dg.AssetSelection.checks(drift)
    day = dg.define_asset_job("day", selection, executor_def=dg.in_process_executor)
    assets = [group, performance, vectors, published]
    return dg.Definitions(assets=assets, asset_checks=[drift], jobs=[day]).resolve_job_def("day")
