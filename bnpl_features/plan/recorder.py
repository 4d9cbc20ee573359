"""A warehouse that holds nothing and writes down what it is asked: the job's own functions say their statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import pyarrow as pa

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN, Table
from bnpl_features.plan.statement import Api, Statement
from bnpl_features.warehouse.warehouse import Labels, Written


class Recorder:
    """Satisfies `Warehouse`. `told` names what is asked next: a step of the job, and the purpose within it."""

    name = "a plan"

    def __init__(self, columns: Mapping[str, str]) -> None:
        self.statements: list[Statement] = []
        self._columns = dict(columns)
        self._step = self._purpose = ""

    def told(self, step: str, purpose: str) -> Recorder:
        self._step, self._purpose = step, purpose
        return self

    @property
    def rows_at_once(self) -> None:
        return None

    def columns(self, relation: str) -> dict[str, str]:
        return self._columns

    def replace_partition(self, table: Table, partition: date, query: Query, labels: Labels) -> Written:
        self._note(Api.QUERY, query, writes=table.name)
        self._note(Api.QUERY, _count(table, partition), f"rows of {table.name}")
        return Written(0, None, 0.0)

    def replace_partitions(
        self, table: Table, partitions: Sequence[date], query: Query, labels: Labels
    ) -> dict[date, Written]:
        raise NotImplementedError("the daily job is of one partition")

    def read(self, query: Query, labels: Labels) -> Iterator[pa.RecordBatch]:
        self._note(Api.QUERY, query)
        return iter(())

    def read_partition(
        self, table: Table, partition: date, columns: tuple[str, ...], labels: Labels
    ) -> Iterator[pa.RecordBatch]:
        sql = f"SELECT {', '.join(columns)}\nFROM {table.name}\nWHERE {PARTITION_COLUMN} = @partition_date"
        self._note(Api.STORAGE_READ, Query(sql, {"partition_date": partition}))
        return iter(())

    def replace_partition_rows(
        self, table: Table, partition: date, batches: Iterator[pa.RecordBatch], labels: Labels
    ) -> Written:
        """The load itself is free; the statement that takes it over reads as many bytes as the partition has then."""
        names = ", ".join(column.name for column in table.columns)
        staged = f"SELECT {names} FROM {table.name} WHERE {PARTITION_COLUMN} = @partition_date"
        return self.replace_partition(table, partition, Query(staged, {"partition_date": partition}), labels)

    def upsert_transactions(self, batches: Iterator[pa.RecordBatch], labels: Labels) -> int:
        raise NotImplementedError("the daily job loads no purchases")

    def estimate_bytes(self, query: Query) -> int | None:
        return None  # free

    def _note(self, api: Api, query: Query, purpose: str = "", writes: str = "") -> None:
        self.statements.append(Statement(self._step, purpose or self._purpose, api, query, writes))


def _count(table: Table, partition: date) -> Query:
    """How `BigQueryWarehouse` learns how many rows a partition holds that it has replaced."""
    return Query(
        f"SELECT COUNT(*) AS row_count FROM {table.name} WHERE {PARTITION_COLUMN} = @partition_date",
        {"partition_date": partition},
    )
