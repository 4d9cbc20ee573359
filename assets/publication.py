"""The publication: gate, stage, verify, activate. One partition a run, one publication at a time.

A graph of three steps, so that the middle one may run on several workers: begin brings the customers of the partition
into a folder by bucket range, place writes ranges to the store, finish verifies and switches.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from assets.failures import MAX_RETRIES, TRANSIENT, library_errors
from assets.feature_vectors import VECTORS, VECTORS_TABLE
from assets.gate import Verdict, examine
from assets.monitoring import tell_end_of_run, tell_subject
from assets.partitions import DAILY, labels
from bnpl_features import __version__
from bnpl_features.connect.data import retention_of
from bnpl_features.connect.telling import open_tracer
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.partition import size_query
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.monitoring.publication import publication_families
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import Publication, begin, finish, place
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.publishing.plan import Plan
from bnpl_features.store.publishing.progress import Report, every_tenth
from resources.gate import GateResource
from resources.settings import SettingsResource
from resources.store import StoreResource
from resources.warehouse import WarehouseResource

PUBLISHED = dg.AssetKey("published_features")
PUBLICATION_POOL = "publication"
TRACED_AS = "bnpl-features"
DEADLINE = time(6)
"""Yesterday is served by then, UTC."""

_LEASE_WAIT_SECONDS = 1_800.0
"""How long a run waits for the publication before it: the pool holds back only its first step."""


@dg.op(
    ins={"vectors": dg.In(dg.Nothing)},
    out={"folder": dg.Out(str), "shares": dg.DynamicOut(list)},
    pool=PUBLICATION_POOL,
    description="Ask the gate, take a version number, encode the partition's customers by bucket range.",
)
def begin_publication(
    context: dg.OpExecutionContext,
    warehouse: WarehouseResource,
    store: StoreResource,
    settings: SettingsResource,
    gate: GateResource,
) -> Iterator[Any]:
    _refuse_ranges(context)
    day = date.fromisoformat(context.partition_key)
    verdict = _refuse_unless_checked(context, gate.check_keys())
    _refuse_unless_newest(context, gate.check_keys())
    layout = layout_of(BEHAVIOURAL)
    asked_by = labels(context, PUBLISHED.to_user_string(), day)
    configured = settings.load()
    chosen = configured.store
    with (
        library_errors(),
        warehouse.open() as engine,
        store.open() as target,
        open_tracer(configured.monitoring, TRACED_AS) as tracer,
    ):
        size = next(engine.read(size_query(VECTORS_TABLE, day), asked_by)).to_pylist()[0]
        batches = engine.read_partition(VECTORS_TABLE, day, (CUSTOMER_COLUMN, *layout.names), asked_by)
        plan = begin(
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
            retention=retention_of(chosen),
            shared_folder=Path(chosen.publish_folder) if chosen.publish_folder else None,
            lease_wait_seconds=_LEASE_WAIT_SECONDS,
            report=_log(context),
            tracer=tracer,
        )
    yield dg.Output(str(plan.folder), output_name="folder")
    for number in range(min(chosen.publish_workers, plan.ranges.count)):
        share = list(range(number, plan.ranges.count, chosen.publish_workers))
        yield dg.DynamicOutput(share, mapping_key=f"share_{number}", output_name="shares")


@dg.op(description="Write some bucket ranges to the store and read them back; may be retried on its own.")
def place_ranges(
    context: dg.OpExecutionContext, folder: str, share: list, store: StoreResource, settings: SettingsResource
) -> int:
    with (
        library_errors(),
        _folder_removed_on_failure(context, folder),
        store.open() as target,
        open_tracer(settings.load().monitoring, TRACED_AS) as tracer,
    ):
        placed = place(
            target,
            Plan.load(Path(folder)),
            share,
            again=context.retry_number > 0,
            abandon_on_failure=_is_last(context),
            report=_log(context),
            tracer=tracer,
        )
    return sum(part.customers for part in placed)


@dg.op(description="Compare with the warehouse, lift the expiry, switch, remove what is past retention.")
def finish_publication(
    context: dg.OpExecutionContext, folder: str, placed: list, store: StoreResource, settings: SettingsResource
) -> dg.Output[None]:
    configured = settings.load()
    chosen = configured.store
    with (
        library_errors(),
        _folder_removed_on_failure(context, folder),
        store.open() as target,
        open_tracer(configured.monitoring, TRACED_AS) as tracer,
    ):
        publication = finish(
            target,
            Plan.load(Path(folder)),
            retention=retention_of(chosen),
            expire_seconds=chosen.version_ttl_hours * 3_600,
            abandon_on_failure=_is_last(context),
            tracer=tracer,
        )
    tell_subject(configured, context.log, "publication", publication_families(publication))
    tell_end_of_run(configured, context.log, context.job_name, failed=False)
    return dg.Output(None, metadata=_metadata(publication))


@dg.graph_asset(
    key=PUBLISHED,
    ins={"vectors": dg.AssetIn(VECTORS, dagster_type=dg.Nothing)},
    description="The features as the scoring service reads them: a new version in Redis, switched to atomically.",
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    group_name="serving",
    owners=["team:risk-features"],
    kinds={"redis"},
    code_version=layout_of(BEHAVIOURAL).fingerprint[:12],
)
def _published_features(vectors: None) -> None:
    folder, shares = begin_publication(vectors)
    placed = shares.map(lambda share: place_ranges(folder, share)).collect()
    return finish_publication(folder, placed)


published_features = _published_features.map_asset_specs(
    lambda spec: spec.replace_attributes(
        freshness_policy=dg.FreshnessPolicy.cron(
            f"{DEADLINE.minute} {DEADLINE.hour} * * *", timedelta(hours=4), timezone="UTC"
        )
    )
)


def _refuse_ranges(context: dg.OpExecutionContext) -> None:
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


def _refuse_unless_checked(context: dg.OpExecutionContext, checks: list[dg.AssetCheckKey]) -> Verdict:
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


def _refuse_unless_newest(context: dg.OpExecutionContext, checks: list[dg.AssetCheckKey]) -> None:
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


def _is_last(context: dg.OpExecutionContext) -> bool:
    return context.retry_number == MAX_RETRIES


@contextmanager
def _folder_removed_on_failure(context: dg.OpExecutionContext, folder: str) -> Iterator[None]:
    """Also where the store cannot be opened; what may pass leaves the folder to the next attempt."""
    try:
        yield
    except BaseException as error:
        if _is_last(context) or not isinstance(error, TRANSIENT):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _log(context: dg.OpExecutionContext) -> Report:
    """A line in the event log each tenth of a step."""
    return every_tenth(lambda progress: context.log.info("%s", progress))


def _metadata(publication: Publication) -> dict[str, Any]:
    manifest = publication.manifest
    return {
        "version": manifest.version,
        "previous_version": publication.previous if publication.previous is not None else "none",
        "customers": manifest.customers,
        "erased": manifest.erased,
        "customers_per_second": round(manifest.customers / publication.total_seconds),
        "seconds": {step: round(took, 3) for step, took in publication.seconds.items()},
        "total_seconds": round(publication.total_seconds, 3),
        "record_bytes": manifest.layout.width_bytes,
        "saturated_values": dict(manifest.saturated),
        "layout": manifest.layout.fingerprint,
        "checks": dict(manifest.provenance.checks),
        "overrides": dict(manifest.provenance.overrides),
        "retired_versions": list(publication.removed),
    }
