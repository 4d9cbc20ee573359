"""What the project asks of a warehouse, whichever engine answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

Labels = Mapping[str, str]
"""Who asks: asset, partition and run; they land on the warehouse's own job records."""


@dataclass(frozen=True)
class Written:
    """What replacing a partition did: rows it holds now, bytes the statement read (None: the engine does not say)."""

    rows: int
    bytes_processed: int | None
    seconds: float
    job_id: str = ""


def told_of_the_first(
    written: Mapping[date, Written], bytes_processed: int | None, seconds: float, job_id: str = ""
) -> dict[date, Written]:
    """What one statement cost, beside the first of the partitions that it wrote: sums over them come out right."""
    first = min(written)
    return {
        day: Written(
            one.rows,
            bytes_processed if day == first or bytes_processed is None else 0,
            seconds if day == first else 0.0,
            job_id,
        )
        for day, one in written.items()
    }


class Warehouse(Protocol):
    """Every method raises `WarehouseUnavailable`, `RelationMissing` or `QueryFailed` from `bnpl_features.errors`."""

    @property
    def name(self) -> str:
        """The engine and where it is, for people."""
        ...

    @property
    def rows_at_once(self) -> int | None:
        """Rows that a statement over a range of partitions should hold at most; None where that need not be minded."""
        ...

    def columns(self, relation: str) -> dict[str, str]:
        """Column names of a table or view, with their canonical (BigQuery) types; raises RelationMissing."""
        ...

    def replace_partition(self, table: Table, partition: date, query: Query, labels: Labels) -> Written:
        """Make the partition hold exactly the query's rows: atomically, and the same however often it is called.

        The query yields the table's columns but the partition column; the table is created where it is missing.
        """
        ...

    def replace_partitions(
        self, table: Table, partitions: Sequence[date], query: Query, labels: Labels
    ) -> dict[date, Written]:
        """The same for a range of consecutive partitions by one statement: the query yields the partition column, too.

        A partition without rows is replaced by none. What the statement cost is told of the first partition.
        """
        ...

    def read(self, query: Query, labels: Labels) -> Iterator[pa.RecordBatch]:
        """The query's rows as Arrow record batches, so that memory does not grow with the number of rows."""
        ...

    def read_partition(
        self, table: Table, partition: date, columns: tuple[str, ...], labels: Labels
    ) -> Iterator[pa.RecordBatch]:
        """Some columns of one partition of a table, in no order; the cheapest way to read much."""
        ...

    def replace_partition_rows(
        self, table: Table, partition: date, batches: Iterator[pa.RecordBatch], labels: Labels
    ) -> Written:
        """The same with rows from outside: Arrow batches of the table's columns but the partition column."""
        ...

    def upsert_transactions(self, batches: Iterator[pa.RecordBatch], labels: Labels) -> int:
        """Add purchases in the canonical columns, replacing those of the same identity; returns rows received."""
        ...

    def estimate_bytes(self, query: Query) -> int | None:
        """Bytes that the query would read, from a dry run; None where the engine cannot tell."""
        ...
