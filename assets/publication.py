"""The publication: gate, stage, verify, activate. One partition a run, one publication at a time."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import dagster as dg

from assets.failures import library_errors
from assets.feature_vectors import VECTORS, VECTORS_TABLE
from assets.gate import Verdict, examine
from assets.partitions import DAILY, labels
from bnpl_features import __version__
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.partition import size_query
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import Publication, publish
from bnpl_features.store.publishing.batches import customer_batches
from resources.gate import GateResource
from resources.settings import SettingsResource
from resources.store import StoreResource
from resources.warehouse import WarehouseResource

PUBLISHED = dg.AssetKey("published_features")
PUBLICATION_POOL = "publication"
DEADLINE_CRON = "0 6 * * *"


@dg.asset(
    key=PUBLISHED,
    description="The features as the scoring service reads them: a new version in Redis, switched to atomically.",
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    deps=[VECTORS],
    group_name="serving",
    owners=["team:risk-features"],
    kinds={"redis"},
    code_version=layout_of(BEHAVIOURAL).fingerprint[:12],
    freshness_policy=dg.FreshnessPolicy.cron(DEADLINE_CRON, timedelta(hours=4), timezone="UTC"),
    pool=PUBLICATION_POOL,
)
def published_features(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseResource,
    store: StoreResource,
    settings: SettingsResource,
    gate: GateResource,
) -> dg.MaterializeResult:
    _refuse_ranges(context)
    day = date.fromisoformat(context.partition_key)
    verdict = _refuse_unless_checked(context, gate.check_keys())
    _refuse_unless_newest(context, gate.check_keys())
    layout = layout_of(BEHAVIOURAL)
    asked_by = labels(context, PUBLISHED.to_user_string(), day)
    with library_errors(), warehouse.open() as engine, store.open() as target:
        size = next(engine.read(size_query(VECTORS_TABLE, day), asked_by)).to_pylist()[0]
        batches = engine.read_partition(VECTORS_TABLE, day, (CUSTOMER_COLUMN, *layout.names), asked_by)
        publication = publish(
            target,
            layout,
            customer_batches(batches, layout),
            partition=day,
            customers=size["row_count"],
            provenance=Provenance(
                run_id=context.run.run_id,
                code_version=__version__,
                actor=context.run.tags.get("dagster/schedule_name") or context.run.tags.get("user", "operator"),
                checks=verdict.checks,
                overrides=verdict.overrides,
            ),
            keep=settings.load().store.retained_versions,
            progress=_log_progress(context),
        )
    return dg.MaterializeResult(metadata=_metadata(publication))


def _refuse_ranges(context: dg.AssetExecutionContext) -> None:
    """Checks belong to one partition each, and only one version can be the newest."""
    if len(context.partition_keys) > 1:
        first, *_, last = context.partition_keys
        raise dg.Failure(
            description=(
                f"partitions {first} to {last} are not published: one partition a run. Compute the range with the "
                f"backfill job, then run the daily job for {last}"
            ),
            allow_retries=False,
        )


def _refuse_unless_checked(context: dg.AssetExecutionContext, checks: list[dg.AssetCheckKey]) -> Verdict:
    verdict = examine(context.instance, checks, context.partition_key, VECTORS)
    if verdict.refusals:
        raise dg.Failure(
            description=(
                f"partition {context.partition_key} is not published, the active version stays: "
                f"its gating checks do not allow it; "
                "mend the cause and run the daily job for this partition again. " + "; ".join(verdict.refusals)
            ),
            metadata={"refusals": list(verdict.refusals)},
            allow_retries=False,
        )
    return verdict


def _refuse_unless_newest(context: dg.AssetExecutionContext, checks: list[dg.AssetCheckKey]) -> None:
    """A backfill must never move production to an older day; a newer one that failed its checks does not count."""
    computed = context.instance.get_materialized_partitions(VECTORS)
    newer = sorted((day for day in computed if day > context.partition_key), reverse=True)
    newest = next((day for day in newer if not examine(context.instance, checks, day, VECTORS).refusals), None)
    if newest:
        raise dg.Failure(
            description=(
                f"partition {context.partition_key} is not published: {newest} is newer and complete; publish it, or, "
                "to serve an older day on purpose, roll back to its version (`bnpl-features rollback`)"
            ),
            allow_retries=False,
        )


def _log_progress(context: dg.AssetExecutionContext) -> Callable[[str, int, int], None]:
    """A line in the event log each tenth of a step."""
    tenths: dict[str, int] = {}

    def report(step: str, done: int, total: int) -> None:
        tenth = 10 * done // total
        if tenths.get(step) != tenth:
            tenths[step] = tenth
            context.log.info("%s: %s of %s customers", step, f"{done:,}", f"{total:,}")

    return report


def _metadata(publication: Publication) -> dict[str, Any]:
    manifest = publication.manifest
    seconds = sum(publication.seconds.values())
    return {
        "version": manifest.version,
        "previous_version": publication.previous if publication.previous is not None else "none",
        "customers": manifest.customers,
        "customers_per_second": round(manifest.customers / seconds),
        "seconds": {step: round(took, 3) for step, took in publication.seconds.items()},
        "record_bytes": manifest.layout.width_bytes,
        "saturated_values": dict(manifest.saturated),
        "layout": manifest.layout.fingerprint,
        "checks": dict(manifest.provenance.checks),
        "overrides": dict(manifest.provenance.overrides),
        "retired_versions": list(publication.removed),
    }
