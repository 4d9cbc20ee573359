"""Before a customer is written: whether this partition may be published, and whether the store has room and fits."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import PublicationRefused
from bnpl_features.store.erasure import tombstones
from bnpl_features.store.failover import persistently, primaries_now
from bnpl_features.store.keyspace import bucket_count
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publishing.plan import Plan
from bnpl_features.store.publishing.preflight import check_memory, check_settings, plan_memory
from bnpl_features.store.publishing.spool import Ranges
from bnpl_features.store.retirement import Retention, sweep
from bnpl_features.store.target import Target
from bnpl_features.store.versions import active_version, allocate, manifest_of


def open_publication(
    target: Target,
    layout: Layout,
    folder: Path,
    *,
    partition: date,
    customers: int,
    provenance: Provenance,
    retention: Retention,
    lease: str,
    traceparent: str = "",
    deprecated_on: date | None = None,
) -> Plan:
    """A version number and a plan for it; call it holding the lease.

    Raises `PublicationRefused`, `StoreFull` or `StoreMisconfigured`, before a byte is written.
    """
    if customers < 1:
        raise PublicationRefused(
            f"partition {partition} has no customers; see why the features are empty, and rerun it"
        )
    began_at = time.time()
    client, keyspace = target.client, target.keyspace
    expected = _refuse_older(target, partition)
    _refuse_unknown_tombstones(target)
    removed = sweep(client, keyspace, retention=retention)
    check_settings(client, layout)
    check_memory(plan_memory(client, layout, customers))
    buckets = bucket_count(customers)
    version = persistently(client, lambda: allocate(client, keyspace, buckets, target.key.check))
    plan = Plan(
        version=version,
        expected=expected,
        partition=partition,
        customers=customers,
        layout=layout,
        ranges=Ranges.for_customers(customers, buckets),
        lease=lease,
        primaries=primaries_now(client),
        provenance=provenance,
        began_at=began_at,
        removed=tuple(removed),
        folder=folder,
        traceparent=traceparent,
        deprecated_on=deprecated_on,
    )
    plan.save()
    return plan


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


def _refuse_unknown_tombstones(target: Target) -> None:
    """Digests of a customer key that is not at hand cannot be compared: those customers would come back."""
    known = {key.check for key in target.keys}
    strange = sum(stone.key_check not in known for stone in tombstones(target.client, target.keyspace))
    if strange:
        raise PublicationRefused(
            f"{strange} customers were erased under a customer key that is not at hand, and would come back; set "
            "BNPL_PREVIOUS_CUSTOMER_KEYS to the keys that were in use then, and publish again"
        )
