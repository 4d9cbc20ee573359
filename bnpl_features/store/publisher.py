"""A publication from end to end: preflight, stage, verify, seal, activate. Only the last changes what is served."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import redis

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import BnplFeaturesError, PublicationRefused, VerificationFailed
from bnpl_features.store.codec import Codec
from bnpl_features.store.connection import borrowed_connection, named_errors, url_of
from bnpl_features.store.keyspace import CustomerKey, Keyspace, bucket_count
from bnpl_features.store.manifest import Manifest, Provenance
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.publishing.lease import publisher_lease
from bnpl_features.store.publishing.preflight import check_encoding, check_memory, check_settings, plan_memory
from bnpl_features.store.publishing.spool import Ranges, Spool
from bnpl_features.store.publishing.staging import StagedRange, buckets_of, seal, stage_range, verify_range
from bnpl_features.store.publishing.verification import Sample, verify_sample
from bnpl_features.store.reading.lookup import ServedVersion
from bnpl_features.store.versions import (
    RETAINED_VERSIONS,
    State,
    activate,
    active_version,
    allocate,
    fail,
    manifest_of,
    mark,
    sweep,
)

STAGED_TTL_SECONDS = 3_600
_PARALLEL_RANGES = 2

Progress = Callable[[str, int, int], None]
"""Called with the step, customers done and customers in all."""


@dataclass(frozen=True)
class Target:
    """Where versions go: the store, its namespace and the customer key."""

    client: redis.Redis
    keyspace: Keyspace
    key: CustomerKey


@dataclass(frozen=True)
class Publication:
    """What a publication did; `seconds` is by step."""

    manifest: Manifest
    previous: int | None
    removed: tuple[int, ...]
    seconds: Mapping[str, float]


def publish(
    target: Target,
    layout: Layout,
    batches: Iterable[CustomerBatch],
    *,
    partition: date,
    customers: int,
    provenance: Provenance,
    keep: int = RETAINED_VERSIONS,
    progress: Progress = lambda step, done, total: None,
) -> Publication:
    """Publish the `customers` of a partition as a new version and make it the active one.

    Whatever fails, the active version stays what it was; raises `PublicationRefused`, `VerificationFailed`,
    `StoreFull`, `StoreMisconfigured` or `StoreUnavailable`.
    """
    if customers < 1:
        raise PublicationRefused(
            f"partition {partition} has no customers; see why the features are empty, and rerun it"
        )
    client, keyspace = target.client, target.keyspace
    clock = _Clock()
    with named_errors(url_of(client)), publisher_lease(client, keyspace, _holder(provenance)) as still_held:
        expected = _refuse_older(target, partition)
        removed = sweep(client, keyspace, keep=keep)
        check_settings(client, layout)
        check_memory(plan_memory(client, layout, customers))
        clock.lap("prepare")
        version = allocate(client, keyspace, bucket_count(customers))
        with _failing_cleanly(target, version):
            manifest = _stage(target, version, layout, batches, partition, customers, provenance, clock, progress)
            still_held()
            previous = activate(
                client, keyspace, version, expected=expected, actor=provenance.actor, reason=f"partition {partition}"
            )
        clock.lap("activate")
        removed += sweep(client, keyspace, keep=keep)
        clock.lap("retire")
    return Publication(manifest, previous, tuple(removed), clock.seconds)


def _stage(
    target: Target,
    version: int,
    layout: Layout,
    batches: Iterable[CustomerBatch],
    partition: date,
    customers: int,
    provenance: Provenance,
    clock: _Clock,
    progress: Progress,
) -> Manifest:
    """Everything before the switch: the version is complete, verified and without expiry when this returns."""
    client, keyspace = target.client, target.keyspace
    sample = Sample.of(customers)
    buckets = bucket_count(customers)
    with tempfile.TemporaryDirectory(prefix="bnpl-publish-") as folder:
        spool = Spool(Path(folder), Ranges.for_customers(customers, buckets), layout.width_bytes)
        saturated = _fill(spool, Codec(layout), target.key, batches, customers, sample, progress)
        clock.lap("encode")
        if spool.customers != customers:
            raise VerificationFailed(
                f"the warehouse counted {customers} customers in partition {partition} but handed over "
                f"{spool.customers}; the partition changed while it was read: publish again"
            )
        staged = _send(target, version, spool, progress)
        clock.lap("stage and verify")
        check_encoding(client, staged[0].fullest)
        manifest = Manifest(
            version=version,
            partition_date=partition,
            layout=layout,
            buckets=buckets,
            customers=customers,
            checksum=" ".join(part.checksum for part in staged),
            key_check=target.key.check,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            saturated=saturated,
            provenance=provenance,
        )
        verify_sample(client, ServedVersion(manifest, keyspace, (target.key,)), sample)
        client.set(keyspace.manifest(version), manifest.to_json())
        with borrowed_connection(client) as connection:
            for part in staged:
                seal(connection, part.keys)
        mark(client, keyspace, version, State.VERIFIED)
        clock.lap("seal")
    return manifest


def _fill(
    spool: Spool,
    codec: Codec,
    key: CustomerKey,
    batches: Iterable[CustomerBatch],
    customers: int,
    sample: Sample,
    progress: Progress,
) -> dict[str, int]:
    saturated: dict[str, int] = {}
    for batch in batches:
        encoded = codec.encode(batch.columns)
        spool.add(key.digests(batch.customer_ids), encoded.records)
        sample.take(batch)
        for name, count in encoded.saturated.items():
            saturated[name] = saturated.get(name, 0) + count
        progress("encode", spool.customers, customers)
    spool.close()
    return saturated


def _send(target: Target, version: int, spool: Spool, progress: Progress) -> list[StagedRange]:
    prefix = target.keyspace.bucket_prefix(version)
    done = 0

    def one(number: int) -> StagedRange:
        rows = spool.rows_of(number)
        buckets = buckets_of(rows, spool.ranges, prefix)
        with borrowed_connection(target.client) as connection:
            staged = stage_range(connection, rows, buckets, STAGED_TTL_SECONDS)
            verify_range(connection, rows, buckets)
        return staged

    results = []
    with ThreadPoolExecutor(_PARALLEL_RANGES) as pool:
        for staged in pool.map(one, range(spool.ranges.count)):
            results.append(staged)
            done += staged.customers
            progress("stage and verify", done, spool.customers)
    return results


def _refuse_older(target: Target, partition: date) -> int | None:
    """The version to switch from; raises `PublicationRefused` where it already serves a newer day."""
    current = active_version(target.client, target.keyspace)
    if current is None:
        return None
    serving = manifest_of(target.client, target.keyspace, current).partition_date
    if serving > partition:
        raise PublicationRefused(
            f"partition {partition} is older than {serving}, which version {current} serves; a publication never moves "
            "back in time: to serve an older day, roll back by name (`bnpl-features rollback`)"
        )
    return current


@contextmanager
def _failing_cleanly(target: Target, version: int) -> Iterator[None]:
    """On any failure mark the version failed and free its memory, if the store still answers."""
    try:
        yield
    except BaseException as error:
        with suppress(redis.RedisError, OSError, BnplFeaturesError):
            fail(target.client, target.keyspace, version, actor="publisher", reason=str(error)[:200])
        raise


def _holder(provenance: Provenance) -> str:
    return f"run {provenance.run_id}" if provenance.run_id else provenance.actor or "a publisher"


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now
