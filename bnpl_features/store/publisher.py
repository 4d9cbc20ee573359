"""A publication from end to end: begin, place, finish. Only the last changes what is served.

`publish` does all of it in one process. The three parts may as well run in three places that share a folder, and
`place` in several at once: each of them needs no more than the folder's name.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import redis

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import BnplFeaturesError, StoreUnavailable
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.failover import persistently
from bnpl_features.store.manifest import Manifest, Provenance
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.publishing.closing import close_publication
from bnpl_features.store.publishing.filling import fill
from bnpl_features.store.publishing.lease import LEASE_SECONDS, Lease, take_lease
from bnpl_features.store.publishing.opening import open_publication
from bnpl_features.store.publishing.placing import place_ranges
from bnpl_features.store.publishing.plan import Filled, PlacedRange, Plan
from bnpl_features.store.publishing.progress import Pace, Report
from bnpl_features.store.retirement import KEEP_ONE, Retention, fail, sweep
from bnpl_features.store.switching import activate
from bnpl_features.store.target import Target
from bnpl_features.store.versions import active_version, manifest_of
from bnpl_features.telemetry.tracing import UNTRACED, Tracer

_FOLDER_PREFIX = "bnpl-publish-"
_ABANDONED_SECONDS = 86_400.0
"""A folder of this age belongs to a publisher that died: what is staged expires after an hour."""


@dataclass(frozen=True)
class Publication:
    """What a publication did; `seconds` is by step, `total_seconds` since it began."""

    manifest: Manifest
    previous: int | None
    removed: tuple[int, ...]
    seconds: Mapping[str, float]
    total_seconds: float


def publish(
    target: Target,
    layout: Layout,
    batches: Iterable[CustomerBatch],
    *,
    partition: date,
    customers: int,
    provenance: Provenance,
    retention: Retention = KEEP_ONE,
    expire_seconds: float = 0.0,
    deprecated_on: date | None = None,
    report: Report = lambda progress: None,
    tracer: Tracer = UNTRACED,
) -> Publication:
    """Publish the `customers` of a partition as a new version of the layout's feature set, and make it the active one.

    Whatever fails, the active version stays what it was; raises `PublicationRefused`, `VerificationFailed`,
    `StoreFull`, `StoreMisconfigured` or `StoreUnavailable`. With `expire_seconds` the version's records expire that
    long after it was sealed, whether or not another has followed. Readers warn of a set that is `deprecated_on` a day.
    """
    plan = begin(
        target,
        layout,
        batches,
        partition=partition,
        customers=customers,
        provenance=provenance,
        retention=retention,
        deprecated_on=deprecated_on,
        report=report,
        tracer=tracer,
    )
    place(target, plan, range(plan.ranges.count), report=report, tracer=tracer)
    return finish(target, plan, retention=retention, expire_seconds=expire_seconds, tracer=tracer)


def begin(
    target: Target,
    layout: Layout,
    batches: Iterable[CustomerBatch],
    *,
    partition: date,
    customers: int,
    provenance: Provenance,
    retention: Retention = KEEP_ONE,
    shared_folder: Path | None = None,
    lease_wait_seconds: float = LEASE_SECONDS + 5.0,
    deprecated_on: date | None = None,
    report: Report = lambda progress: None,
    tracer: Tracer = UNTRACED,
) -> Plan:
    """Take the lease and a version number, and bring the customers into the plan's folder, by bucket range.

    The folder is made in `shared_folder`, or where this machine keeps temporary files. Raises as `publish` does.
    """
    target = target.of(layout.feature_set)
    parent = shared_folder or Path(tempfile.gettempdir())
    holder = f"run {provenance.run_id}" if provenance.run_id else provenance.actor or "a publisher"
    with tracer.span("publish.begin") as span, named_errors(url_of(target.client)):
        span.set("bnpl.partition", str(partition))
        span.set("bnpl.customers", customers)
        lease = take_lease(target.client, target.keyspace, holder, wait_seconds=lease_wait_seconds)
        _remove_abandoned(parent)
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=parent))
        plan = None
        try:
            with lease.kept():
                plan = open_publication(
                    target,
                    layout,
                    folder,
                    partition=partition,
                    customers=customers,
                    provenance=provenance,
                    retention=retention,
                    lease=lease.token,
                    traceparent=tracer.traceparent(),
                    deprecated_on=deprecated_on,
                )
                span.set("bnpl.version", plan.version)
                fill(target, plan, batches, Pace(report))
        except BaseException as error:
            if plan is not None:
                abandon(target, plan, str(error))
            else:
                shutil.rmtree(folder, ignore_errors=True)
                lease.give_back()
            raise
    return plan


def place(
    target: Target,
    plan: Plan,
    numbers: Iterable[int],
    *,
    again: bool = False,
    abandon_on_failure: bool = True,
    report: Report = lambda progress: None,
    tracer: Tracer = UNTRACED,
) -> list[PlacedRange]:
    """Write some of the ranges to the store and read them back.

    `again` says that they may be there already, from an attempt before: the bytes will be the same. Who means to try
    again where the store is not available sets `abandon_on_failure` to false; any other failure is for good.
    """
    pace = Pace(report)
    pace.start("stage and verify")
    placed: list[PlacedRange] = []
    with tracer.span("publish.place", plan.traceparent), _on_with(target, plan, abandon_on_failure):
        for part in place_ranges(target, plan, numbers, again=again):
            placed.append(part)
            pace.tell("stage and verify", sum(one.customers for one in placed), plan.customers)
    return placed


def finish(
    target: Target,
    plan: Plan,
    *,
    retention: Retention = KEEP_ONE,
    expire_seconds: float = 0.0,
    abandon_on_failure: bool = True,
    tracer: Tracer = UNTRACED,
) -> Publication:
    """Verify the version, make it the active one, and remove what is past retention. Raises as `publish` does.

    `abandon_on_failure` is as in `place`.
    """
    client, keyspace = target.client, target.keyspace.of(plan.layout.feature_set)
    with _on_with(target, plan, abandon_on_failure) as lease:
        filled = Filled.load(plan)
        placed = [PlacedRange.load(plan, number) for number in range(plan.ranges.count)]
        began = sealed = time.perf_counter()
        active = persistently(client, lambda: active_version(client, keyspace))
        if active == plan.version:  # an attempt before came as far as the switch
            manifest, previous = manifest_of(client, keyspace, plan.version), plan.expected
        else:
            with tracer.span("publish.verify", plan.traceparent):
                manifest = close_publication(target, plan, filled, placed, expire_seconds=expire_seconds)
            sealed = time.perf_counter()
            lease.require()
            actor, reason = plan.provenance.actor, f"partition {plan.partition}"
            with tracer.span("publish.switch", plan.traceparent):
                previous = activate(client, keyspace, plan.version, expected=plan.expected, actor=actor, reason=reason)
        activated = time.perf_counter()
        removed = persistently(client, lambda: sweep(client, keyspace, retention=retention))
    lease.give_back()
    shutil.rmtree(plan.folder, ignore_errors=True)
    seconds = {
        "encode": filled.seconds,
        "stage and verify": max(part.ended_at for part in placed) - min(part.began_at for part in placed),
        "seal": sealed - began,
        "activate": activated - sealed,
    }
    return Publication(manifest, previous, (*plan.removed, *removed), seconds, time.time() - plan.began_at)


def abandon(target: Target, plan: Plan, reason: str) -> None:
    """Mark the version failed and free its memory, if the store still answers; remove the folder."""
    with suppress(redis.RedisError, OSError, BnplFeaturesError):
        fail(target.client, target.keyspace, plan.version, actor="publisher", reason=reason[:200])
    Lease(target.client, target.keyspace, plan.lease).give_back()
    shutil.rmtree(plan.folder, ignore_errors=True)


@contextmanager
def _on_with(target: Target, plan: Plan, abandon_on_failure: bool) -> Iterator[Lease]:
    """The next part of a publication: its lease is kept; what fails for good is abandoned."""
    lease = Lease(target.client, target.keyspace, plan.lease)
    try:
        with named_errors(url_of(target.client)), lease.kept():
            yield lease
    except BaseException as error:
        if abandon_on_failure or not isinstance(error, StoreUnavailable):
            abandon(target, plan, str(error))
        raise


def _remove_abandoned(parent: Path) -> None:
    """The folders of publishers that died, which hold digests and the customers of a sample."""
    oldest = time.time() - _ABANDONED_SECONDS
    for folder in parent.glob(f"{_FOLDER_PREFIX}*"):
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
