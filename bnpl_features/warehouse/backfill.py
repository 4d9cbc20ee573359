"""Groups over a range of partitions: what it will read, and the computation, a month of partitions a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bnpl_features.derive.profile import profile_range_query, profiles_table
from bnpl_features.derive.profiled import group_subject
from bnpl_features.derive.query import group_query
from bnpl_features.derive.range_query import group_range_query
from bnpl_features.derive.table import group_table
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.volume import daily_volumes
from bnpl_features.warehouse.warehouse import Labels, Warehouse, Written

MOST_PARTITIONS = 31
"""Of one statement: what it holds at a time grows with them, what it reads hardly does."""


@dataclass(frozen=True)
class Cost:
    """What a group's backfill reads: purchases and days of them, and bytes where the engine can tell; `one_by_one` is
    the same when each partition is computed by itself."""

    group: str
    statements: int
    days: int
    purchases: int
    purchases_one_by_one: int
    bytes: int | None
    bytes_one_by_one: int | None


def estimate(
    engine: Warehouse, source: Source, groups: Sequence[FeatureGroup], days: Sequence[date], labels: Labels
) -> list[Cost]:
    """What computing the days will read, group by group, before it begins. Groups of other groups' features read none
    of the purchases, and are left out."""
    reading = [group for group in groups if not group.of]
    longest = max((group.look_back.days for group in reading), default=1)
    before = (days[-1] - days[0]).days + longest - 1
    volumes = daily_volumes(engine, source, days[-1], before, labels) if reading else {}
    counts = {day: volume.purchases for day, volume in volumes.items()}
    return [_cost(engine, source, group, days, counts) for group in reading]


def compute(
    engine: Warehouse, source: Source, group: FeatureGroup, days: Sequence[date], labels: Labels
) -> Iterator[dict[date, Written]]:
    """Write a group's partitions of consecutive days, and their profiles; yields what each statement wrote."""
    subject = group_subject(group)
    for part in parts_of(days):
        query = group_range_query(group, part[0], part[-1], source.sql())
        written = engine.replace_partitions(group_table(group), part, query, labels)
        profiles = profile_range_query(subject, part[0], part[-1])
        engine.replace_partitions(profiles_table(subject), part, profiles, labels)
        yield written


def parts_of(days: Sequence[date]) -> list[Sequence[date]]:
    """The days of each statement."""
    return [days[start : start + MOST_PARTITIONS] for start in range(0, len(days), MOST_PARTITIONS)]


def _cost(
    engine: Warehouse, source: Source, group: FeatureGroup, days: Sequence[date], counts: dict[date, int]
) -> Cost:
    parts = parts_of(days)
    look_back = group.look_back.days
    estimates = [engine.estimate_bytes(group_range_query(group, p[0], p[-1], source.sql())) for p in parts]
    of_one = engine.estimate_bytes(group_query(group, days[-1], source.sql()))
    return Cost(
        group.name,
        len(parts),
        sum(len(part) + look_back - 1 for part in parts),
        sum(_purchases(counts, part[0] - timedelta(days=look_back - 1), part[-1]) for part in parts),
        sum(_purchases(counts, day - timedelta(days=look_back - 1), day) for day in days),
        None if None in estimates else sum(one or 0 for one in estimates),
        None if of_one is None else of_one * len(days),
    )


def _purchases(counts: dict[date, int], first: date, last: date) -> int:
    return sum(count for day, count in counts.items() if first <= day <= last)
