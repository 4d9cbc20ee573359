"""A range of partitions by one statement: the rows of each day, and each day of purchases read once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd
import pytest

from bnpl_features.derive.query import Query, group_query, vectors_query
from bnpl_features.derive.range_query import group_range_query, vectors_range_query
from bnpl_features.derive.table import group_table, vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS
from bnpl_features.features.feature import HISTORY, DeclarationError, FeatureGroup
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.duckdb_statements import translated
from tests.edge_cases import PARTITIONS, edge_case_transactions

LAST = max(PARTITIONS)
FIRST = LAST - timedelta(days=2)
DAYS = [FIRST + timedelta(days=n) for n in range(3)]
OF_PURCHASES = [group for group in GROUPS if not group.of]


def frame(warehouse: DuckDBWarehouse, query: Query) -> pd.DataFrame:
    return pd.concat([batch.to_pandas() for batch in warehouse.read(query, {})])


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_each_partition_of_a_range_has_the_rows_of_its_own_statement(
    group: FeatureGroup, computed_days: DuckDBWarehouse
) -> None:
    together = frame(computed_days, group_range_query(group, FIRST, LAST))

    assert set(pd.to_datetime(together["partition_date"]).dt.date) == set(DAYS)
    for day in DAYS:
        alone = frame(computed_days, group_query(group, day)).set_index("customer_id").sort_index()
        part = together[pd.to_datetime(together["partition_date"]).dt.date == day]
        part = part.drop(columns="partition_date").set_index("customer_id").sort_index()
        pd.testing.assert_frame_equal(part, alone, check_exact=False, rtol=1e-9, atol=1e-9)


def test_the_vectors_of_a_range_are_those_of_its_days(computed_days: DuckDBWarehouse) -> None:
    together = frame(computed_days, vectors_range_query(BEHAVIOURAL, FIRST, LAST))

    for day in DAYS:
        alone = frame(computed_days, vectors_query(BEHAVIOURAL, day)).set_index("customer_id").sort_index()
        part = together[pd.to_datetime(together["partition_date"]).dt.date == day]
        pd.testing.assert_frame_equal(part.drop(columns="partition_date").set_index("customer_id").sort_index(), alone)


@pytest.mark.parametrize("group", OF_PURCHASES, ids=lambda group: group.name)
def test_a_range_reads_each_purchase_once_where_days_read_it_every_day(group: FeatureGroup) -> None:
    """Groups whose window is short read purchases twice: who is a customer is asked of the whole look-back."""
    together = scanned(group_range_query(group, FIRST, LAST))
    alone = sum(scanned(group_query(group, day)) for day in DAYS)
    once = scanned(group_query(group, LAST))

    assert together <= once * 1.1
    assert alone >= 2.5 * once


def test_sql_that_qualifies_the_customer_cannot_be_spread_over_a_range() -> None:
    own = replace(OF_PURCHASES[0], rows="SELECT p.customer_id FROM purchases AS p GROUP BY p.customer_id")

    with pytest.raises(DeclarationError, match="let it stand in lists only"):
        group_range_query(own, FIRST, LAST)


def test_only_days_that_some_partition_looks_back_at_are_read() -> None:
    group = next(group for group in OF_PURCHASES if group.look_back == HISTORY)

    assert "transaction_timestamp >= TIMESTAMP(DATE_SUB(@first_partition, INTERVAL 364 DAY))" in (
        group_range_query(group, FIRST, LAST).sql
    )


@pytest.fixture(scope="module")
def computed_days(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """The edge cases, with all groups of the days computed, as the vectors and groups of groups read them."""
    warehouse = DuckDBWarehouse(tmp_path_factory.mktemp("range"))
    warehouse.upsert_transactions(iter(edge_case_transactions().to_batches()), {})
    for group in GROUPS:
        written = warehouse.replace_partitions(group_table(group), DAYS, group_range_query(group, FIRST, LAST), {})
        assert list(written) == DAYS
    warehouse.replace_partitions(vectors_table(BEHAVIOURAL), DAYS, vectors_range_query(BEHAVIOURAL, FIRST, LAST), {})
    return warehouse


def scanned(query: Query) -> int:
    """Rows of purchases that DuckDB reads for the statement."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    purchases = edge_case_transactions()  # noqa: F841 - DuckDB finds it by its name
    connection.execute("CREATE TABLE transactions AS SELECT * FROM purchases")
    explain = f"EXPLAIN (ANALYZE, FORMAT json) {translated(query.sql)}"
    [(_, plan)] = connection.execute(explain, dict(query.parameters)).fetchall()

    def rows(node: dict[str, Any]) -> int:
        own = node.get("rows_scanned", 0) if "transactions" in node["extra_info"].get("Table", "") else 0
        return int(own) + sum(rows(child) for child in node.get("children", ()))

    return sum(rows(operator) for operator in json.loads(plan)["operator"])


def test_a_day_without_customers_is_replaced_by_none(computed_days: DuckDBWarehouse) -> None:
    long_ago = [date(1990, 1, 1), date(1990, 1, 2)]
    group = OF_PURCHASES[0]

    written = computed_days.replace_partitions(group_table(group), long_ago, group_range_query(group, *long_ago), {})

    assert [one.rows for one in written.values()] == [0, 0]
    assert list(computed_days.read_partition(group_table(group), long_ago[0], ("customer_id",), {})) == []
