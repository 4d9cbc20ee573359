"""A classifier tells two days apart where they differ, and not where they are alike."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import vectors_table
from bnpl_features.drift.classifier import domain_classifier_auc
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Kind
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

DAY = date(2026, 1, 10)
BEFORE = DAY - timedelta(days=7)
TABLE = vectors_table(BEHAVIOURAL)


def write(
    warehouse: DuckDBWarehouse, day: date, customers: int, *, amount: str = "1.0", correlated: bool = False
) -> None:
    """Features that depend on nothing but the customer's number."""

    def value(name: str, kind: Kind) -> str:
        if kind is Kind.NAME:
            return "'active'"
        salt = "a" if correlated and name in ("amount_mean_30d", "amount_max_30d") else name
        digits = f"SUBSTR(TO_HEX(MD5(CONCAT('{salt}', CAST(n AS STRING)))), 1, 5)"
        number = f"CAST(CONCAT('0x', {digits}) AS INT64)"
        scaled = f"{number} * {amount}" if name == "amount_mean_30d" else number
        return f"CAST({scaled} AS {kind.value})"

    columns = ", ".join(f"{value(f.name, f.kind)} AS {f.name}" for f in BEHAVIOURAL.features)
    numbers = "UNNEST(GENERATE_ARRAY(1, @customers)) AS n"
    sql = f"SELECT CONCAT('c', CAST(n AS STRING)) AS customer_id, {columns} FROM {numbers}"
    warehouse.replace_partition(TABLE, day, Query(sql, {"customers": customers}), {})


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path, threads=1)


def test_days_alike_cannot_be_told_apart(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, BEFORE, 6_000)
    write(warehouse, DAY, 6_000)

    area = domain_classifier_auc(warehouse, BEFORE, DAY, {})

    assert area is not None
    assert 0.5 <= area < 0.56


def test_a_shift_is_told(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, BEFORE, 6_000)
    write(warehouse, DAY, 6_000, amount="2.0")

    area = domain_classifier_auc(warehouse, BEFORE, DAY, {})

    assert area is not None
    assert area > 0.7


def test_features_that_moved_only_together_are_told(warehouse: DuckDBWarehouse) -> None:
    """Each by itself is distributed as before, so that no index of one feature could see it."""
    write(warehouse, BEFORE, 12_000)
    write(warehouse, DAY, 12_000, correlated=True)

    area = domain_classifier_auc(warehouse, BEFORE, DAY, {})

    assert area is not None
    assert area > 0.65


def test_too_few_customers_or_no_reference_give_no_answer(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, DAY, 300)

    assert domain_classifier_auc(warehouse, BEFORE, DAY, {}) is None
    write(warehouse, BEFORE, 100)
    assert domain_classifier_auc(warehouse, BEFORE, DAY, {}) is None
