"""Streamed state against the warehouse: a day's completed purchases and their cents, customer by customer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bnpl_features.derive.velocity_query import totals_query
from bnpl_features.errors import InputError
from bnpl_features.features.velocity import KEPT
from bnpl_features.store.buckets import each
from bnpl_features.store.erasure import tombstones
from bnpl_features.store.keyspace import VELOCITY_BUCKETS, bucket_of, field_of
from bnpl_features.store.target import Target
from bnpl_features.store.velocity.state import HOUR_MS, happened_between, parsed
from bnpl_features.store.wire import command
from bnpl_features.warehouse.warehouse import Labels, Warehouse

Totals = tuple[int, int]
"""Purchases and cents."""


@dataclass(frozen=True)
class Comparison:
    """Of the hours of a day, from `from_hour` (UTC) on, that are still remembered."""

    day: date
    from_hour: int
    customers: int
    mismatched: int
    missing: int
    surplus: int
    purchases: int
    purchases_streamed: int

    @property
    def mismatched_share(self) -> float:
        return self.mismatched / self.customers if self.customers else 0.0


def compare(
    target: Target, warehouse: Warehouse, relation: str, day: date, now: datetime, labels: Labels | None = None
) -> Comparison:
    """Compare all customers who bought that day, according to either side.

    `missing` and `surplus` are customers among the mismatched whom only the warehouse or only the stream has. Raises
    `InputError` where nothing of the day is remembered any more.
    """
    midnight_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    oldest_ms = (int(now.timestamp()) * 1000 // HOUR_MS - KEPT.slots + 1) * HOUR_MS
    since_ms, until_ms = max(midnight_ms, oldest_ms), midnight_ms + 24 * HOUR_MS
    if since_ms >= until_ms:
        raise InputError(
            f"velocity of {day} is not remembered any more; compare a day within {KEPT.slots - 24} hours of its end"
        )
    from_hour = (since_ms - midnight_ms) // HOUR_MS
    erased = {stone.digest for stone in tombstones(target.client, target.keyspace)}
    expected: dict[tuple[int, bytes], Totals] = {}
    for batch in warehouse.read(totals_query(day, from_hour, relation), labels or {}):
        for row in batch.to_pylist():
            digest = target.key.digest(row["customer_id"])
            if digest not in erased:
                place = bucket_of(digest, VELOCITY_BUCKETS), field_of(digest)
                expected[place] = int(row["purchases"]), int(row["cents"])
    customers, purchases = len(expected), sum(count for count, _ in expected.values())
    mismatched = surplus = streamed = 0
    for place, value in _states(target):
        found = _totals(value, since_ms, until_ms)
        wanted = expected.pop(place, (0, 0))
        streamed += found[0]
        if found != wanted:
            mismatched += 1
            surplus += wanted == (0, 0)
    return Comparison(
        day, from_hour, customers, mismatched + len(expected), len(expected), surplus, purchases, streamed
    )


def _states(target: Target) -> Iterator[tuple[tuple[int, bytes], bytes]]:
    keys = [target.keyspace.velocity_bucket(bucket) for bucket in range(VELOCITY_BUCKETS)]
    for key, reply in each(target.client, keys, lambda key: command(b"HGETALL", key)):
        bucket = int(key.rpartition(b":")[2])
        fields = iter(reply)
        for name, value in zip(fields, fields, strict=True):
            yield (bucket, name), value


def _totals(value: bytes, since_ms: int, until_ms: int) -> Totals:
    try:
        return happened_between(parsed(value), since_ms, until_ms)
    except struct.error:
        return 0, 0


def newest_comparable(now: datetime) -> date:
    """The last day that is over."""
    return now.astimezone(UTC).date() - timedelta(days=1)
