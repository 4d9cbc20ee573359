"""How many bytes a table's columns take by BigQuery's rules, at a number of customers: pure computing over a sample.

The rules are those of https://cloud.google.com/bigquery/pricing#data: a number, a date or a timestamp is 8 bytes, a
boolean 1, a text 2 and its UTF-8 bytes, and a null of any type none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from bnpl_features.derive.table import Table
from bnpl_features.plan.scans import Scan

FIXED_BYTES = {"INT64": 8, "FLOAT64": 8, "BOOL": 1, "DATE": 8, "DATETIME": 8, "TIMESTAMP": 8, "NUMERIC": 16}
TEXT_BYTES = 2
"""Of each text that is not null, beside its own."""

DAYS_A_YEAR = 365


@dataclass(frozen=True)
class TableSample:
    """Mean logical bytes of a row by column; `rows` are those of a day of the sample."""

    rows: float
    bytes_a_row: Mapping[str, float]


@dataclass(frozen=True)
class Sample:
    """What was measured, of `customers` with a feature vector: tables, and CPU seconds of DuckDB by statement."""

    source: str
    customers: int
    purchases_per_customer: float
    tables: Mapping[str, TableSample]
    cpu_seconds: Mapping[str, float]


@dataclass(frozen=True)
class Size:
    """What is planned for: customers with a feature vector, and purchases of each a year, whatever their status."""

    customers: int
    purchases_per_customer: float


def sampled(table: Table, batches: Iterable[pa.RecordBatch], rows: float) -> TableSample:
    """The mean bytes of a row, of the rows that are given; the partition column is never null."""
    found: dict[str, int] = {}
    seen = 0
    types = {column.name: column.type for column in table.columns}
    for batch in batches:
        seen += batch.num_rows
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            found[name] = found.get(name, 0) + _bytes(column, types[name])
    mean = {name: total / seen if seen else 0.0 for name, total in found.items()}
    return TableSample(rows, {table.partition_column: float(FIXED_BYTES["DATE"])} | mean)


def _bytes(column: pa.Array, of_type: str) -> int:
    present: int = len(column) - column.null_count
    if of_type != "STRING":
        return present * FIXED_BYTES[of_type]
    return present * TEXT_BYTES + int(pc.sum(pc.binary_length(column)).as_py() or 0)


def rows_a_day(table: str, size: Size, sample: Sample, by_customer: frozenset[str], transactions: str) -> float:
    """Of purchases as many as the customers make, of `by_customer` tables one a customer, of others what the sample
    has: profiles and findings do not grow with customers."""
    if table == transactions:
        return size.customers * size.purchases_per_customer / DAYS_A_YEAR
    return float(size.customers) if table in by_customer else sample.tables[table].rows


def scanned_bytes(scans: Iterable[Scan], rows: Mapping[str, float], sample: Sample) -> tuple[float, int]:
    """(bytes, tables) of one statement: a column of a day counts once, however often the statement refers to it."""
    read: set[tuple[str, str, date]] = set()
    tables = set()
    for scan in scans:
        tables.add(scan.table)
        read |= {(scan.table, column, day) for column in scan.columns for day in scan.days}
    total = sum(rows[table] * sample.tables[table].bytes_a_row[column] for table, column, _ in read)
    return total, len(tables)
