"""A version whose ranges are all placed: compared with the warehouse, described, freed of its expiry, made verified."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bnpl_features.errors import VerificationFailed
from bnpl_features.store.buckets import by_server
from bnpl_features.store.connection import borrowed_connection
from bnpl_features.store.erasure import erased_among, settle_erasures
from bnpl_features.store.failover import await_replicas, persistently, primaries_now
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.manifest import Manifest
from bnpl_features.store.publishing.placing import place_ranges
from bnpl_features.store.publishing.plan import Filled, PlacedRange, Plan
from bnpl_features.store.publishing.preflight import check_encoding
from bnpl_features.store.publishing.staging import seal_buckets
from bnpl_features.store.publishing.verification import verify_sample
from bnpl_features.store.reading.lookup import ServedVersion
from bnpl_features.store.target import Target
from bnpl_features.store.versions import State, mark

_FAILOVERS_SURVIVED = 3


def close_publication(
    target: Target, plan: Plan, filled: Filled, placed: Sequence[PlacedRange], *, expire_seconds: float = 0.0
) -> Manifest:
    """The version is complete, verified, without expiry and on the replicas when this returns.

    Where servers have been replaced since the publication began, what they took with them is written again.
    Raises `VerificationFailed` for what differs from the warehouse, or where servers do not stop being replaced.
    """
    watched = plan.primaries
    for _ in range(_FAILOVERS_SURVIVED):
        sealed = _sealed_or_not(target, plan, filled, placed, expire_seconds)
        now = persistently(target.client, lambda: primaries_now(target.client))
        if now == watched:
            if isinstance(sealed, VerificationFailed):
                raise sealed
            persistently(target.client, lambda: mark(target.client, target.keyspace, plan.version, State.VERIFIED))
            return sealed
        watched = now
        placed = list(place_ranges(target, plan, range(plan.ranges.count), again=True))
    raise VerificationFailed(
        f"servers were replaced {_FAILOVERS_SURVIVED} times while the version was written; see why the store does not "
        "settle, and publish again"
    )


def _sealed_or_not(
    target: Target, plan: Plan, filled: Filled, placed: Sequence[PlacedRange], expire_seconds: float
) -> Manifest | VerificationFailed:
    """A bucket that is missing means nothing yet: a server that was replaced may have taken it along."""
    client, keyspace = target.client, target.keyspace
    manifest = _described(target, plan, filled, placed, expire_seconds)
    try:
        persistently(client, lambda: _compare(target, manifest, filled, placed))
        persistently(client, lambda: _seal(target, manifest, _keys(plan, keyspace, placed)))
    except VerificationFailed as error:
        return error
    # Last, since a bucket whose customers were all erased vanishes, and is not missing.
    manifest = replace(manifest, erased=settle_erasures(client, keyspace, plan.version))
    persistently(client, lambda: client.set(keyspace.manifest(plan.version), manifest.to_json()))
    return manifest


def _described(
    target: Target, plan: Plan, filled: Filled, placed: Sequence[PlacedRange], expire_seconds: float
) -> Manifest:
    return Manifest(
        version=plan.version,
        partition_date=plan.partition,
        layout=plan.layout,
        buckets=plan.ranges.buckets,
        customers=plan.customers,
        checksum=" ".join(part.checksum for part in placed),
        key_check=target.key.check,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        saturated=filled.saturated,
        provenance=plan.provenance,
        expires_at=time.time() + expire_seconds if expire_seconds else None,
        deprecated_on=plan.deprecated_on,
    )


def _compare(target: Target, manifest: Manifest, filled: Filled, placed: Sequence[PlacedRange]) -> None:
    """Raises `VerificationFailed` where the store holds other than the warehouse, but for customers who were erased."""
    client, keyspace = target.client, target.keyspace
    count = sum(part.customers for part in placed)
    if count != filled.customers:
        raise VerificationFailed(
            f"{count:,} of {filled.customers:,} customers were placed: a range was left out; publish again"
        )
    check_encoding(client, placed[0].fullest)
    erased = erased_among(client, keyspace, (target.key,), filled.sample)
    sample = {customer_id: values for customer_id, values in filled.sample.items() if customer_id not in erased}
    verify_sample(client, ServedVersion(manifest, keyspace, (target.key,)), sample)


def _seal(target: Target, manifest: Manifest, keys: list[bytes]) -> None:
    for server, positions in by_server(target.client, keys):
        with borrowed_connection(server) as connection:
            seal_buckets(connection, [keys[position] for position in positions], manifest.expires_at)
            await_replicas(target.client, connection)


def _keys(plan: Plan, keyspace: Keyspace, placed: Sequence[PlacedRange]) -> list[bytes]:
    """The keys of all buckets that hold somebody."""
    prefix = keyspace.bucket_prefix(plan.version)
    empty = {number for part in placed for number in part.empty}
    return [prefix + b"%d" % number for number in range(plan.ranges.buckets) if number not in empty]
