"""How many purchases arrived, day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from bnpl_features.errors import RelationMissing
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.volume import DailyVolume, daily_volumes
from tests.edge_cases import PARTITION, SCHEMA, buy, row, when

ONE_DAY = timedelta(days=1)


def purchases(*told: tuple[int, str, str]) -> pa.Table:
    """One purchase for each (day before or after the partition, time, status)."""
    rows = []
    for number, (day, at, status) in enumerate(told):
        story = buy(day, at, status=status)
        rows.append(row("c", str(number), when(story, PARTITION), story))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    filled = DuckDBWarehouse(tmp_path, threads=1)
    table = purchases(
        (0, "00:00:00", "completed"),
        (0, "23:59:59.999999", "failed"),
        (1, "00:00:00", "completed"),
        (-1, "12:00:00", "pending"),
        (-3, "12:00:00", "completed"),
        (-4, "23:59:59.999999", "completed"),
    )
    filled.upsert_transactions(iter(table.to_batches()), {})
    return filled


def volumes(warehouse: DuckDBWarehouse, day: date = PARTITION, before: int = 3) -> dict[date, DailyVolume]:
    return daily_volumes(warehouse, Source(), day, before, {})


def test_purchases_of_any_status_are_counted_by_utc_day(warehouse: DuckDBWarehouse) -> None:
    found = volumes(warehouse)

    assert {day: volume.purchases for day, volume in found.items()} == {
        PARTITION: 2,
        PARTITION - ONE_DAY: 1,
        PARTITION - 3 * ONE_DAY: 1,
    }
    assert found[PARTITION].latest == datetime.combine(PARTITION, datetime.max.time(), UTC)


def test_an_empty_day_has_no_latest_purchase(warehouse: DuckDBWarehouse) -> None:
    empty = PARTITION - 2 * ONE_DAY

    assert volumes(warehouse, empty, before=0) == {empty: DailyVolume(0, None)}


@pytest.mark.parametrize("own", ["when", "timestamp", "order", "_timestamp"])
def test_the_timestamp_may_have_any_name_of_the_users(own: str, tmp_path: Path) -> None:
    theirs = purchases((0, "10:00:00", "completed"), (-1, "10:00:00", "completed"))
    theirs = theirs.rename_columns([own if name == "transaction_timestamp" else name for name in theirs.column_names])
    (tmp_path / "orders" / "all").mkdir(parents=True)
    duckdb.from_arrow(theirs).write_parquet(str(tmp_path / "orders" / "all" / "data.parquet"))
    source = Source("orders", {"transaction_timestamp": own})

    found = daily_volumes(DuckDBWarehouse(tmp_path), source, PARTITION, 7, {})

    assert {day: volume.purchases for day, volume in found.items()} == {PARTITION: 1, PARTITION - ONE_DAY: 1}


def test_a_table_of_the_users_may_have_a_column_called_day(tmp_path: Path) -> None:
    theirs = purchases((0, "10:00:00", "completed"), (-1, "10:00:00", "completed"))
    theirs = theirs.append_column("day", pa.array(["Monday"] * theirs.num_rows))
    (tmp_path / "orders" / "all").mkdir(parents=True)
    duckdb.from_arrow(theirs).write_parquet(str(tmp_path / "orders" / "all" / "data.parquet"))

    found = daily_volumes(DuckDBWarehouse(tmp_path), Source("orders"), PARTITION, 7, {})

    assert {day: volume.purchases for day, volume in found.items()} == {PARTITION: 1, PARTITION - ONE_DAY: 1}


def test_a_relation_that_is_not_there_is_named(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(RelationMissing, match=r"no_orders .*correct the column map"):
        daily_volumes(warehouse, Source("no_orders"), PARTITION, 7, {})
