"""The Arrow schema of a table: what files and batches hold."""

from __future__ import annotations

import pyarrow as pa

from bnpl_features.derive.table import Table

ARROW_TYPES: dict[str, pa.DataType] = {
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "STRING": pa.string(),
    "BOOL": pa.bool_(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "DATE": pa.date32(),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Of the table's columns but the partition column, which a partition's place tells."""
    return pa.schema([(c.name, ARROW_TYPES[c.type]) for c in table.columns if c.name != table.partition_column])
