"""Rows on their way to a warehouse: one Parquet file, written batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bnpl_features.derive.table import Table
from bnpl_features.features.purchase import TIMESTAMP_COLUMN
from bnpl_features.warehouse.arrow_types import ARROW_TYPES

_BEFORE_ALL, _AFTER_ALL = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Spooled:
    """How many purchases were written, and between which timestamps, both inclusive, they lie."""

    rows: int = 0
    earliest: datetime = _AFTER_ALL
    latest: datetime = _BEFORE_ALL


def spool(batches: Iterator[pa.RecordBatch], table: Table, file: IO[bytes]) -> Spooled:
    """Write the columns of `table`, in its types, to `file`; memory does not grow with the number of purchases."""
    schema = pa.schema([(column.name, ARROW_TYPES[column.type]) for column in table.columns])
    spooled = Spooled()
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            if batch.num_rows:
                canonical = batch.select(schema.names).cast(schema)
                writer.write_batch(canonical)
                extremes = pc.min_max(canonical.column(TIMESTAMP_COLUMN)).as_py()
                spooled = Spooled(
                    spooled.rows + batch.num_rows,
                    min(spooled.earliest, extremes["min"]),
                    max(spooled.latest, extremes["max"]),
                )
    return spooled


def spool_rows(batches: Iterator[pa.RecordBatch], schema: pa.Schema, file: IO[bytes]) -> int:
    """Write rows of any table to `file`; returns how many."""
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch.select(schema.names).cast(schema))
            rows += batch.num_rows
    return rows
