"""How many rows and customers a partition has, and which groups lack some of them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlglot

from bnpl_features.derive.partition import coverage_query, size_query
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import Table, group_table
from bnpl_features.features.catalog import GROUPS, group_named
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

DAY = date(2024, 3, 1)
VOLUME, DEVICE, TEMPORAL = group_named("volume"), group_named("device"), group_named("temporal")


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path, threads=1)


def write(warehouse: DuckDBWarehouse, table: Table, customers: str, day: date = DAY) -> None:
    """A partition of the customers a, b, c ... of a string."""
    sql = " UNION ALL ".join(f"SELECT '{name}' AS customer_id" for name in customers)
    warehouse.replace_partition(table, day, Query(sql, {}), {})


def only(warehouse: DuckDBWarehouse, query: Query) -> dict[str, int]:
    (row,) = [row for batch in warehouse.read(query, {}) for row in batch.to_pylist()]
    return row


def test_a_size_counts_rows_and_customers_of_its_own_day(warehouse: DuckDBWarehouse) -> None:
    table = group_table(VOLUME)
    write(warehouse, table, "aabc")
    write(warehouse, table, "xyz", DAY - timedelta(days=1))

    assert only(warehouse, size_query(table, DAY)) == {"row_count": 4, "customers": 3}


def test_a_day_without_a_partition_has_size_zero(warehouse: DuckDBWarehouse) -> None:
    table = group_table(VOLUME)
    write(warehouse, table, "a")

    assert only(warehouse, size_query(table, DAY + timedelta(days=1))) == {"row_count": 0, "customers": 0}


def test_groups_that_cover_the_same_customers_lack_none(warehouse: DuckDBWarehouse) -> None:
    for group in (VOLUME, DEVICE, TEMPORAL):
        write(warehouse, group_table(group), "abc")

    found = only(warehouse, coverage_query((VOLUME, DEVICE, TEMPORAL), DAY))

    assert found == {"customers": 3, "volume": 0, "device": 0, "temporal": 0}


def test_each_group_is_told_how_many_customers_of_the_others_it_lacks(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, group_table(VOLUME), "abc")
    write(warehouse, group_table(DEVICE), "aabd")
    write(warehouse, group_table(TEMPORAL), "abcd", DAY - timedelta(days=1))
    write(warehouse, group_table(TEMPORAL), "a")

    found = only(warehouse, coverage_query((VOLUME, DEVICE, TEMPORAL), DAY))

    assert found == {"customers": 4, "volume": 1, "device": 1, "temporal": 3}


def test_both_questions_are_bigquery_with_the_partition_as_parameter() -> None:
    for query in (size_query(group_table(VOLUME), DAY), coverage_query(GROUPS, DAY)):
        sqlglot.parse_one(query.sql, read="bigquery")
        assert query.parameters == {"partition_date": DAY}
        assert str(DAY) not in query.sql
