"""A bucket range from the publication's folder to the store: written, read back. Safe to repeat, by any worker."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bnpl_features.store.buckets import by_server
from bnpl_features.store.connection import borrowed_connection
from bnpl_features.store.failover import persistently
from bnpl_features.store.publishing.plan import PlacedRange, Plan
from bnpl_features.store.publishing.spool import SortedRows
from bnpl_features.store.publishing.staging import Bucket, buckets_of, stage_buckets, verify_buckets
from bnpl_features.store.target import Target

STAGED_TTL_SECONDS = 3_600
"""Every bucket is born with it: a publisher that dies leaves nothing behind."""

_PARALLEL_RANGES = 2


def place_ranges(target: Target, plan: Plan, numbers: Iterable[int], *, again: bool = False) -> Iterator[PlacedRange]:
    """Place several ranges, two at a time, in the order given; `again` says that they may be there already."""
    with ThreadPoolExecutor(_PARALLEL_RANGES) as pool:
        yield from pool.map(lambda number: place_range(target, plan, number, again=again), numbers)


def place_range(target: Target, plan: Plan, number: int, *, again: bool = False) -> PlacedRange:
    """Write and read back one range; servers that fail are waited for.

    Raises `PublicationRefused` where two customers have one digest, `VerificationFailed` where the store holds other
    than what was written.
    """
    began_at = time.time()
    rows = plan.spool.rows_of(number)
    buckets = buckets_of(rows, plan.ranges, target.keyspace.bucket_prefix(plan.version))
    attempts = 0

    def attempt() -> None:
        nonlocal attempts
        attempts += 1
        _place(target, rows, buckets, again=again or attempts > 1)

    persistently(target.client, attempt)
    placed = PlacedRange(
        number=number,
        customers=len(rows),
        checksum=f"{zlib.crc32(rows.pairs.data):08x}",
        fullest=max(buckets, key=lambda bucket: bucket.customers).key.decode() if buckets else "",
        empty=tuple(sorted(set(plan.ranges.buckets_of(number)) - {bucket.number for bucket in buckets})),
        began_at=began_at,
        ended_at=time.time(),
    )
    placed.save(plan)
    return placed


def _place(target: Target, rows: SortedRows, buckets: list[Bucket], *, again: bool) -> None:
    for server, positions in by_server(target.client, [bucket.key for bucket in buckets]):
        held = [buckets[position] for position in positions]
        with borrowed_connection(server) as connection:
            stage_buckets(connection, rows, held, STAGED_TTL_SECONDS, again=again)
            verify_buckets(connection, rows, held)
