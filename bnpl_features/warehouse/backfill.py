"""Groups over a range of partitions: what it will read, and the computation, up to a month of them a statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bnpl_features.derive.profile import profile_query, profile_range_query, profiles_table
from bnpl_features.derive.profiled import group_subject
from bnpl_features.derive.query import group_query
from bnpl_features.derive.range_query import group_range_query
from bnpl_features.derive.table import group_table
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.volume import daily_volumes
from bnpl_features.warehouse.warehouse import Labels, Warehouse, Written

MOST_PARTITIONS = 31
"""Of one statement: what it holds at a time grows with them, what it reads hardly does. An engine may want fewer."""


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
    counts = _counts(engine, source, reading, days, labels)
    return [_cost(engine, source, group, days, counts) for group in reading]


def compute(
    engine: Warehouse, source: Source, group: FeatureGroup, days: Sequence[date], labels: Labels
) -> Iterator[dict[date, Written]]:
    """Write a group's partitions of consecutive days, and their profiles; yields what each statement wrote."""

    def rows_a_day() -> int:
        return _rows_a_day(group, days, _counts(engine, source, [group], days, labels))

    for part in parts_of(engine, days, rows_a_day):
        yield _compute_part(engine, source, group, part, labels)


def _compute_part(
    engine: Warehouse, source: Source, group: FeatureGroup, part: Sequence[date], labels: Labels
) -> dict[date, Written]:
    table, subject = group_table(group), group_subject(group)
    first, last = part[0], part[-1]
    if first == last:
        found = {first: engine.replace_partition(table, first, group_query(group, first, source.sql()), labels)}
        engine.replace_partition(profiles_table(subject), first, profile_query(subject, first), labels)
        return found
    found = engine.replace_partitions(table, part, group_range_query(group, first, last, source.sql()), labels)
    engine.replace_partitions(profiles_table(subject), part, profile_range_query(subject, first, last), labels)
    return found


def parts_of(engine: Warehouse, days: Sequence[date], rows_a_day: Callable[[], int]) -> list[Sequence[date]]:
    """The days of each statement, which holds `rows_a_day()` for each of them: asked only where it matters."""
    at_once = MOST_PARTITIONS
    if engine.rows_at_once is not None and len(days) > 1:
        at_once = max(1, min(at_once, engine.rows_at_once // max(rows_a_day(), 1)))
    return [days[start : start + at_once] for start in range(0, len(days), at_once)]


def _counts(
    engine: Warehouse, source: Source, groups: Sequence[FeatureGroup], days: Sequence[date], labels: Labels
) -> dict[date, int]:
    """Purchases a day, as far as the groups look back."""
    if not groups:
        return {}
    before = (days[-1] - days[0]).days + max(group.look_back.days for group in groups) - 1
    return {day: one.purchases for day, one in daily_volumes(engine, source, days[-1], before, labels).items()}


def _rows_a_day(group: FeatureGroup, days: Sequence[date], counts: dict[date, int]) -> int:
    """Purchases that the last day looks back at."""
    return _purchases(counts, days[-1] - timedelta(days=group.look_back.days - 1), days[-1])


def _cost(
    engine: Warehouse, source: Source, group: FeatureGroup, days: Sequence[date], counts: dict[date, int]
) -> Cost:
    parts = parts_of(engine, days, lambda: _rows_a_day(group, days, counts))
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
