"""How many days of a backfill one statement takes."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS
from bnpl_features.simulator import Population, simulate
from bnpl_features.warehouse import duckdb
from bnpl_features.warehouse.backfill import MOST_PARTITIONS, compute, estimate, parts_of
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source

LAST = date(2026, 3, 10)
DAYS = [LAST - timedelta(days=number) for number in range(3, -1, -1)]
VOLUME = next(group for group in GROUPS if group.name == "volume")


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    engine = DuckDBWarehouse(tmp_path)
    engine.upsert_transactions(simulate(Population(200, LAST - timedelta(days=40), LAST, seed=2)), {})
    return engine


def rows(engine: DuckDBWarehouse, day: date) -> list[dict[str, object]]:
    columns = ("customer_id", *(feature.name for feature in VOLUME.features))
    batches = engine.read_partition(group_table(VOLUME), day, columns, {})
    return sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["customer_id"])


@pytest.mark.parametrize(
    ("rows_a_day", "lengths"),
    [(0, [31, 9]), (1_000_000, [10, 10, 10, 10]), (4_000_000, [2] * 20), (100_000_000, [1] * 40)],
)
def test_a_statement_holds_no_more_rows_than_the_engine_wants_but_a_day_at_least(
    tmp_path: Path, rows_a_day: int, lengths: list[int]
) -> None:
    days = [LAST - timedelta(days=number) for number in range(39, -1, -1)]

    parts = parts_of(DuckDBWarehouse(tmp_path), days, lambda: rows_a_day)

    assert [len(part) for part in parts] == lengths
    assert [day for part in parts for day in part] == days
    assert max(lengths) <= MOST_PARTITIONS


def test_fewer_days_at_once_are_the_same_rows_and_the_estimate_says_how_many_statements(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    at_once = list(compute(warehouse, source, VOLUME, DAYS, {}))
    computed = {day: rows(warehouse, day) for day in DAYS}
    [cost] = estimate(warehouse, source, [VOLUME], DAYS, {})
    monkeypatch.setattr(duckdb, "ROWS_AT_ONCE", 1)

    day_by_day = list(compute(warehouse, source, VOLUME, DAYS, {}))

    assert [len(part) for part in at_once] == [4]
    assert [len(part) for part in day_by_day] == [1, 1, 1, 1]
    for day in DAYS:
        for row, before in zip(rows(warehouse, day), computed[day], strict=True):
            # Sums are of the same numbers in another order.
            near = {name: pytest.approx(value) if isinstance(value, float) else value for name, value in before.items()}
            assert row == near
    [cost_day_by_day] = estimate(warehouse, source, [VOLUME], DAYS, {})
    assert (cost.statements, cost_day_by_day.statements) == (1, 4)
    assert cost.purchases < cost_day_by_day.purchases == cost.purchases_one_by_one
