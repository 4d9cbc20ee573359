"""The plan of the daily job lists what the daily job asks: each statement, as often."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import Table
from bnpl_features.plan.daily import Job, daily_statements
from bnpl_features.plan.statement import Api
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.warehouse import Labels, Written
from tests.code_location import TOMORROW, CodeLocation, why

_OF_BIGQUERY_ONLY = re.compile(r"SELECT COUNT\(\*\) AS row_count FROM \w+ WHERE")
"""What the BigQuery engine counts after it replaced a partition; DuckDB knows."""

_OF_ROWS = "findings"
"""Rows from outside: DuckDB writes a file, without a statement."""


def test_the_plan_is_what_the_daily_job_asks(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Counter[tuple[str, str]]()
    _listen(monkeypatch, asked)

    result = location.daily(TOMORROW)

    assert result.success, why(result)
    columns = location.warehouse.columns("transactions")
    planned = Counter(
        (one.api.value, _text(one.query.sql))
        for one in daily_statements(Job(TOMORROW, columns=columns))
        if one.purpose != _OF_ROWS and not _OF_BIGQUERY_ONLY.match(one.query.sql)
    )
    assert asked - planned == Counter(), "the job asks what the plan lacks"
    assert planned - asked == Counter(), "the plan has what the job does not ask"


def test_no_two_statements_have_one_name() -> None:
    names = Counter(one.key for one in daily_statements(Job(TOMORROW)))

    assert max(names.values()) == 1


def _listen(monkeypatch: pytest.MonkeyPatch, asked: Counter[tuple[str, str]]) -> None:
    """The real warehouse, overheard."""
    read, replace, partition = (
        DuckDBWarehouse.read,
        DuckDBWarehouse.replace_partition,
        DuckDBWarehouse.read_partition,
    )

    def overheard_read(self: DuckDBWarehouse, query: Query, labels: Labels) -> Iterator[pa.RecordBatch]:
        asked[Api.QUERY.value, _text(query.sql)] += 1
        return read(self, query, labels)

    def overheard_replace(self: DuckDBWarehouse, table: Table, day: date, query: Query, labels: Labels) -> Written:
        asked[Api.QUERY.value, _text(query.sql)] += 1
        return replace(self, table, day, query, labels)

    def overheard_partition(self: DuckDBWarehouse, table: Table, day: date, columns: Any, labels: Labels) -> Any:
        sql = f"SELECT {', '.join(columns)}\nFROM {table.name}\nWHERE partition_date = @partition_date"
        asked[Api.STORAGE_READ.value, _text(sql)] += 1
        return partition(self, table, day, columns, labels)

    monkeypatch.setattr(DuckDBWarehouse, "read", overheard_read)
    monkeypatch.setattr(DuckDBWarehouse, "replace_partition", overheard_replace)
    monkeypatch.setattr(DuckDBWarehouse, "read_partition", overheard_partition)


def _text(sql: str) -> str:
    return " ".join(sql.split())
