"""A group's statement reads what its features need, and no more; a feature added to a group is added everywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.query import group_query, vectors_query
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import BEHAVIOURAL, PURCHASE_GROUPS, FeatureSet, group_named
from bnpl_features.features.feature import HISTORY, MONTH, WEEK, FeatureGroup
from bnpl_features.features.purchase import PURCHASE_COLUMNS
from bnpl_features.features.shapes import count, number
from bnpl_features.features.storage import linear
from bnpl_features.store.codec import Codec
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.edge_cases import PARTITION, SCHEMA, buy, customer, edge_case_transactions, row, when

EVERY_GROUP = pytest.mark.parametrize("group", PURCHASE_GROUPS, ids=lambda group: group.name)
IDENTITY_AND_FILTER = {"customer_id", "transaction_timestamp", "status"}
READS = {
    "volume": {"amount", "payment_credit_limit"},
    "temporal": set(),
    "category": {"product_category", "product_risk_category", "transaction_id"},
    "device": {"device_id", "device_is_trusted", "device_type"},
    "risk_evolution": {
        "amount",
        "risk_score",
        "risk_level",
        "purchase_context",
        "checkout_speed",
        "days_to_first_missed_payment",
    },
}


@EVERY_GROUP
def test_a_statement_reads_only_the_columns_it_needs(group: FeatureGroup) -> None:
    sql = group_query(group, PARTITION).sql

    assert purchase_columns_in(sql) - IDENTITY_AND_FILTER == READS[group.name]


@EVERY_GROUP
def test_outcomes_known_later_and_checkout_columns_are_never_read(group: FeatureGroup) -> None:
    forbidden = {column.name for column in PURCHASE_COLUMNS if not column.feature_input}

    assert not purchase_columns_in(group_query(group, PARTITION).sql) & forbidden


@EVERY_GROUP
def test_scans_are_limited_to_the_look_back_and_the_population_to_history(group: FeatureGroup) -> None:
    starts = re.findall(
        r">= TIMESTAMP\(DATE_SUB\(@partition_date, INTERVAL (\d+) DAY", group_query(group, PARTITION).sql
    )
    scanned = [int(days) for days in starts]

    if group.look_back == HISTORY:
        assert scanned == [364]
    else:
        assert scanned == [group.look_back.days - 1, 364]


@pytest.mark.parametrize(("name", "look_back"), [("temporal", MONTH), ("category", MONTH), ("device", HISTORY)])
def test_the_groups_of_30_days_look_back_30_days(name: str, look_back: object) -> None:
    assert group_named(name).look_back == look_back


@EVERY_GROUP
def test_a_statement_is_bigquery_with_the_partition_as_its_parameter(group: FeatureGroup) -> None:
    query = group_query(group, PARTITION)

    statement = sqlglot.parse_one(query.sql, read="bigquery")
    assert statement.named_selects == ["customer_id", *(feature.name for feature in group.features)]
    assert query.parameters == {"partition_date": PARTITION}
    assert "{" not in query.sql


@EVERY_GROUP
def test_the_source_may_be_a_query_of_the_users_own(group: FeatureGroup) -> None:
    sql = group_query(group, PARTITION, source="(SELECT * FROM `theirs.purchases`)").sql

    assert "FROM (SELECT * FROM `theirs.purchases`)" in sql
    assert "FROM transactions" not in sql


def test_every_customer_of_history_has_a_row_in_every_group(edge_case_warehouse: DuckDBWarehouse) -> None:
    populations = []
    for group in PURCHASE_GROUPS:
        rows = pa.Table.from_batches(list(edge_case_warehouse.read(group_query(group, PARTITION), {})))
        populations.append(sorted(rows.column("customer_id").to_pylist()))

    assert len(populations[0]) > 100
    assert all(population == populations[0] for population in populations)


def test_the_vectors_join_every_group_to_the_first() -> None:
    sql = vectors_query(BEHAVIOURAL, PARTITION).sql

    statement = sqlglot.parse_one(sql, read="bigquery")
    assert statement.named_selects == ["customer_id", *(feature.name for feature in BEHAVIOURAL.features)]
    assert sql.count("LEFT JOIN") == len(PURCHASE_GROUPS) - 1
    assert sql.count("partition_date = @partition_date") == len(PURCHASE_GROUPS)


# --- a feature added to a group, at run time --------------------------------------------------------------------------

AMOUNT_RANGE = number(
    "amount_range_7d",
    "Largest less smallest amount of a week.",
    "USD",
    "MAX({amount}) - MIN({amount})",
    linear(0.0, 1_000.0, width_bytes=2),
    window=WEEK,
)
LARGE_PURCHASES = count("large_purchases_30d", "Purchases over 50 USD.", "COUNT(IF({amount} > 50, 1, NULL))")
TEMPORAL = group_named("temporal")
EXTENDED = replace(TEMPORAL, features=(*TEMPORAL.features, AMOUNT_RANGE, LARGE_PURCHASES))


def test_an_added_feature_is_in_the_statement_the_table_and_the_layout() -> None:
    statement = sqlglot.parse_one(group_query(EXTENDED, PARTITION).sql, read="bigquery")
    table = group_table(EXTENDED)
    layout = layout_of(FeatureSet("extended@1", (EXTENDED,)))

    added = ["amount_range_7d", "large_purchases_30d"]
    assert statement.named_selects[-2:] == added
    assert [(column.name, column.type, column.nullable) for column in table.columns[-2:]] == [
        ("amount_range_7d", "FLOAT64", True),
        ("large_purchases_30d", "INT64", False),
    ]
    assert table.columns[-2].description == "Largest less smallest amount of a week. [USD]"
    assert list(layout.names[-2:]) == added
    assert purchase_columns_in(group_query(EXTENDED, PARTITION).sql) >= {"amount"}


def test_an_added_feature_has_the_right_value_for_every_customer(edge_case_warehouse: DuckDBWarehouse) -> None:
    purchases = edge_case_transactions()

    rows = pa.Table.from_batches(list(edge_case_warehouse.read(group_query(EXTENDED, PARTITION), {})))
    found = {row["customer_id"]: row for row in rows.to_pylist()}

    assert len(found) > 100
    for customer_id, (amount_range, large) in by_hand(purchases, PARTITION).items():
        assert found[customer_id]["amount_range_7d"] == pytest.approx(amount_range), customer_id
        assert found[customer_id]["large_purchases_30d"] == large, customer_id


def test_an_added_feature_goes_from_the_warehouse_through_a_record(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    warehouse = DuckDBWarehouse(tmp_path / "w")
    story = [buy(-40, amount=900.0), buy(-6, amount=30.0), buy(-1, amount=80.5), buy(0, amount=60.0)]
    rows = [row(customer("x"), f"x/{n}", when(said, PARTITION), said) for n, said in enumerate(story)]
    warehouse.upsert_transactions(iter(pa.Table.from_pylist(rows, schema=SCHEMA).to_batches()), {})
    layout = layout_of(FeatureSet("extended@1", (EXTENDED,)))

    (batch,) = customer_batches(warehouse.read(group_query(EXTENDED, PARTITION), {}), layout)
    record = Codec(layout).encode(batch.columns).records[0].tobytes()
    values = Codec(layout).decode_one(record)

    assert values is not None
    served = dict(zip(layout.names, values, strict=True))
    assert served["amount_range_7d"] == pytest.approx(50.5, abs=1_000 / 65_534)
    assert served["large_purchases_30d"] == 2


def by_hand(purchases: pa.Table, partition: date) -> dict[str, tuple[float | None, int]]:
    """The two added features for every customer of history, in a statement of another shape."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("purchases", purchases)
    rows = connection.execute(
        """
        WITH dated AS (
            SELECT customer_id, amount, ?::DATE - transaction_timestamp::DATE AS age
            FROM purchases WHERE status = 'completed'
        )
        SELECT customer_id, max(amount) FILTER (age < 7) - min(amount) FILTER (age < 7),
               count(*) FILTER (age < 30 AND amount > 50)
        FROM dated WHERE age BETWEEN 0 AND 364 GROUP BY 1
        """,
        [partition],
    ).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def purchase_columns_in(sql: str) -> set[str]:
    known = {column.name for column in PURCHASE_COLUMNS}
    return {column.name for column in sqlglot.parse_one(sql, read="bigquery").find_all(exp.Column)} & known
