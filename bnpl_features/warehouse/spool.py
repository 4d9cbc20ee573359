"""Purchases on their way to a warehouse: one Parquet file, written batch by batch."""

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

_ARROW = {
    "STRING": pa.string(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "FLOAT64": pa.float64(),
    "INT64": pa.int64(),
    "BOOL": pa.bool_(),
}
_BEFORE_ALL, _AFTER_ALL = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Spooled:
    """How many purchases were written, and between which timestamps, both inclusive, they lie."""

    rows: int = 0
    earliest: datetime = _AFTER_ALL
    latest: datetime = _BEFORE_ALL


def spool(batches: Iterator[pa.RecordBatch], table: Table, file: IO[bytes]) -> Spooled:
    """Write the columns of `table`, in its types, to `file`; memory does not grow with the number of purchases."""
    schema = pa.schema([(column.name, _ARROW[column.type]) for column in table.columns])
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
