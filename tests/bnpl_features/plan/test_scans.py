"""What a statement reads, told from its text: columns, days, and bytes that a person can work out."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest

from bnpl_features.derive.query import Query, group_query
from bnpl_features.derive.table import Table, TableColumn, group_table, transactions_table
from bnpl_features.features.catalog import group_named
from bnpl_features.plan.scans import Scan, scans_of
from bnpl_features.plan.sizes import Sample, TableSample, sampled, scanned_bytes
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.validate import problems_query

DAY = date(2026, 3, 10)
DAYS = [DAY - timedelta(days=number) for number in range(400)]
VISITS = Table(
    "visits",
    "For the test.",
    (
        TableColumn("partition_date", "DATE", ""),
        TableColumn("customer_id", "STRING", ""),
        TableColumn("spent", "FLOAT64", ""),
        TableColumn("is_new", "BOOL", ""),
    ),
)
TABLES = {table.name: table for table in (VISITS, transactions_table(), group_table(group_named("volume")))}


def scan(sql: str, **parameters: object) -> Scan:
    [only] = scans_of(Query(sql, parameters), TABLES, DAYS)  # type: ignore[arg-type]
    return only


def test_only_the_columns_that_the_result_needs_and_the_condition_names_are_read() -> None:
    read = scan(
        "WITH all_of_them AS (SELECT * FROM visits WHERE partition_date = @day)\nSELECT SUM(spent) FROM all_of_them",
        day=DAY,
    )

    assert read == Scan("visits", frozenset({"spent", "partition_date"}), frozenset({DAY}))


@pytest.mark.parametrize(
    ("where", "days"),
    [
        ("partition_date BETWEEN DATE_SUB(@day, INTERVAL 6 DAY) AND @day", 7),
        ("partition_date = @day OR partition_date = DATE_SUB(@day, INTERVAL 1 YEAR)", 2),
        ("spent > 3", 400),
        ("partition_date = @day OR spent > 3", 400),
        ("partition_date = (SELECT MAX(partition_date) FROM visits WHERE partition_date <= @day)", 400),
    ],
)
def test_days_are_left_out_only_where_the_partition_column_says_so_by_itself(where: str, days: int) -> None:
    found = scans_of(Query(f"SELECT COUNT(spent) FROM visits WHERE {where}", {"day": DAY}), TABLES, DAYS)

    assert max(len(one.days) for one in found) == days


def test_a_timestamp_leaves_out_days_too_and_a_null_is_in_none() -> None:
    [contract] = scans_of(problems_query(Source(), DAY), TABLES, DAYS)

    assert contract.days == {DAY}
    assert contract.columns == {"transaction_id", "customer_id", "transaction_timestamp", "status", "amount"}


def test_bytes_are_those_worked_out_by_hand() -> None:
    """The volume group: 365 days of 1,000 purchases; customer and status are texts of 8 and 9 bytes with 2 each, the
    timestamp and the amount 8, and the limit 8 where one purchase of four has none."""
    weights = {
        "transaction_timestamp": 8.0,
        "customer_id": 10.0,
        "status": 11.0,
        "amount": 8.0,
        "payment_credit_limit": 6.0,
    }
    sample = Sample("by hand", 500, 730.0, {"transactions": TableSample(1_000, weights)}, {})
    reads = scans_of(group_query(group_named("volume"), DAY), TABLES, DAYS)

    total, tables = scanned_bytes(reads, {"transactions": 1_000}, sample)

    assert total == 365 * 1_000 * (8 + 10 + 11 + 8 + 6)
    assert tables == 1


def test_what_a_statement_refers_to_twice_counts_once() -> None:
    sample = Sample("by hand", 1, 1.0, {"visits": TableSample(10, {"partition_date": 8, "spent": 8})}, {})
    both = "SELECT SUM(spent) FROM visits WHERE partition_date = @day"

    total, _ = scanned_bytes(
        scans_of(Query(f"{both} UNION ALL {both}", {"day": DAY}), TABLES, DAYS), {"visits": 10}, sample
    )

    assert total == 10 * (8 + 8)


def test_a_text_is_its_utf_8_bytes_and_two_and_a_null_is_nothing() -> None:
    batch = pa.RecordBatch.from_pylist(
        [
            {"customer_id": "Zoë", "spent": 1.0, "is_new": True},
            {"customer_id": None, "spent": None, "is_new": False},
        ]
    )

    found = sampled(VISITS, [batch], rows=2)

    assert found.bytes_a_row == {"partition_date": 8, "customer_id": (2 + 4) / 2, "spent": 8 / 2, "is_new": 1}
