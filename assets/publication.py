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
from assets.gate import refuse_ranges, refuse_unless_checked, refuse_unless_newest
from assets.metadata import publication_metadata, segments_table
from assets.monitoring import tell_end_of_run, tell_subject
from assets.partitions import DAILY, labels
from bnpl_features import __version__
from bnpl_features.connect.data import retention_of
from bnpl_features.connect.telling import open_tracer
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.meaning import set_fingerprint
from bnpl_features.derive.partition import size_query
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.features.catalog import BEHAVIOURAL, SETS, FeatureSet, set_named
from bnpl_features.monitoring.publication import publication_families
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import begin, finish, place
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.publishing.plan import Plan
from bnpl_features.store.publishing.progress import Report, every_tenth
from resources.gate import GateResource
from resources.settings import SettingsResource
from resources.store import StoreResource
from resources.warehouse import WarehouseResource

PUBLISHED = dg.AssetKey("published_features")
"""The current set's; the others' are named for their sets."""

PUBLICATION_POOL = "publication"
TRACED_AS = "bnpl-features"
DEADLINE = time(6)
"""Yesterday is served by then, UTC."""

_LEASE_WAIT_SECONDS = 1_800.0
"""How long a run waits for the publication before it: the pool holds back only its first step."""


def published_key(feature_set: FeatureSet) -> dg.AssetKey:
    return PUBLISHED if feature_set.name == BEHAVIOURAL.name else dg.AssetKey(f"published_{feature_set.label}")


def _begin(feature_set: FeatureSet) -> dg.OpDefinition:
    """The first step of a set's publication."""

    @dg.op(
        name=f"begin_publication_{feature_set.label}",
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
        refuse_ranges(context)
        day = date.fromisoformat(context.partition_key)
        verdict = refuse_unless_checked(context, gate.check_keys())
        refuse_unless_newest(context, gate.check_keys())
        layout = layout_of(feature_set)
        asked_by = labels(context, published_key(feature_set).to_user_string(), day)
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
                deprecated_on=feature_set.deprecated_on,
                report=_log(context),
                tracer=tracer,
            )
        yield dg.Output(str(plan.folder), output_name="folder")
        for number in range(min(chosen.publish_workers, plan.ranges.count)):
            share = list(range(number, plan.ranges.count, chosen.publish_workers))
            yield dg.DynamicOutput(share, mapping_key=f"share_{number}", output_name="shares")

    return begin_publication


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
    published = set_named(publication.manifest.layout.feature_set)
    tell_subject(configured, context.log, f"publication_{published.label}", publication_families(publication))
    tell_end_of_run(configured, context.log, context.job_name, failed=False)
    return dg.Output(None, metadata=publication_metadata(publication, configured.console.public_url))


def publication_of(feature_set: FeatureSet) -> dg.AssetsDefinition:
    """The asset that publishes a set: it can be materialised alone, whatever other sets do."""
    begin_publication = _begin(feature_set)
    layout = layout_of(feature_set)

    @dg.graph_asset(
        name=published_key(feature_set).to_user_string(),
        ins={"vectors": dg.AssetIn(VECTORS, dagster_type=dg.Nothing)},
        description=(
            f"The features of {feature_set.name} as the scoring service reads them: a new version in Redis, switched "
            "to atomically."
        ),
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        group_name="serving",
        owners=["team:risk-features"],
        kinds={"redis"},
        code_version=layout.fingerprint[:12],
        metadata={
            "feature_set": feature_set.name,
            "fingerprint": set_fingerprint(feature_set),
            "features": dg.MetadataValue.md("\n".join(f"{n}. {name}" for n, name in enumerate(layout.names, start=1))),
            "record_bytes": layout.width_bytes,
            "published_daily": feature_set.is_daily,
            "deprecated_on": str(feature_set.deprecated_on or "not deprecated"),
            **({"segments": dg.MetadataValue.md(segments_table(feature_set.segments))} if feature_set.segments else {}),
        },
    )
    def published(vectors: None) -> None:
        folder, shares = begin_publication(vectors)
        placed = shares.map(lambda share: place_ranges(folder, share)).collect()
        return finish_publication(folder, placed)

    if not feature_set.is_daily:
        return published
    cron = f"{DEADLINE.minute} {DEADLINE.hour} * * *"
    policy = dg.FreshnessPolicy.cron(cron, timedelta(hours=4), timezone="UTC")
    return published.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))


publication_assets = [publication_of(one) for one in SETS]
published_features = publication_assets[0]
daily_publications = [asset for asset, one in zip(publication_assets, SETS, strict=True) if one.is_daily]


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
