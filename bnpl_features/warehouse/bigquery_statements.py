"""What BigQuery is told: statements as text, and labels and parameters in the form that a job takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime

from google.cloud import bigquery

from bnpl_features.derive.query import Parameter
from bnpl_features.derive.table import Table, TableColumn
from bnpl_features.features.purchase import IDENTITY, TIMESTAMP_COLUMN

REPLACED = "replaced_partition"
FIRST_REPLACED, LAST_REPLACED = "first_replaced_partition", "last_replaced_partition"
EARLIEST, LATEST = "earliest_timestamp", "latest_timestamp"

_LABEL_LENGTH = 63
_PARAMETER_TYPES: dict[type, str] = {
    bool: "BOOL",
    int: "INT64",
    float: "FLOAT64",
    str: "STRING",
    date: "DATE",
    datetime: "TIMESTAMP",
}
_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "BIGNUMERIC": "NUMERIC", "RECORD": "STRUCT"}


def replace_partition(table: Table, sql: str) -> str:
    """One statement that deletes the partition @replaced_partition and inserts the query's rows into it.

    Joined on FALSE, no row matches: every old row of the partition is deleted and every new one inserted, atomically,
    and BigQuery reads of the target only the partition that the DELETE names. Chosen over a transaction of DELETE and
    INSERT (a session or a script, two statements billed, aborted by concurrent writers of other days) and over writing
    to `table$YYYYMMDD` (a job's destination accepts no literal for the partition column, and replaces the schema).
    """
    names = [column.name for column in table.columns if column.name != table.partition_column]
    listed = ", ".join(names)
    return (
        f"MERGE {table.name} AS target\nUSING (\n{sql}\n) AS source\nON FALSE\n"
        f"WHEN NOT MATCHED BY SOURCE AND target.{table.partition_column} = @{REPLACED} THEN\n  DELETE\n"
        f"WHEN NOT MATCHED BY TARGET THEN\n"
        f"  INSERT ({table.partition_column}, {listed})\n  VALUES (@{REPLACED}, {listed})"
    )


def replace_partitions(table: Table, sql: str) -> str:
    """The same for a range of partitions; the query yields the partition column as well."""
    listed = ", ".join(column.name for column in table.columns)
    return (
        f"MERGE {table.name} AS target\nUSING (\n{sql}\n) AS source\nON FALSE\n"
        f"WHEN NOT MATCHED BY SOURCE AND target.{table.partition_column} "
        f"BETWEEN @{FIRST_REPLACED} AND @{LAST_REPLACED} THEN\n  DELETE\n"
        f"WHEN NOT MATCHED BY TARGET THEN\n  INSERT ({listed})\n  VALUES ({listed})"
    )


def count_partitions(table: Table) -> str:
    """The rows of each partition of a range."""
    return (
        f"SELECT {table.partition_column}, COUNT(*) AS row_count FROM {table.name} "
        f"WHERE {table.partition_column} BETWEEN @{FIRST_REPLACED} AND @{LAST_REPLACED} "
        f"GROUP BY {table.partition_column}"
    )


def count_partition(table: Table) -> str:
    """The rows that a partition holds; reads at most the partition column of that partition."""
    return f"SELECT COUNT(*) AS row_count FROM {table.name} WHERE {table.partition_column} = @{REPLACED}"


def add_columns(table: Table, columns: list[TableColumn]) -> str:
    """Columns added to an existing table hold null on its older days, so they cannot be REQUIRED."""
    added = ",\n  ".join(
        f"ADD COLUMN IF NOT EXISTS {column.name} {column.type} "
        f"OPTIONS (description = {json.dumps(column.description, ensure_ascii=False)})"
        for column in columns
    )
    return f"ALTER TABLE {table.name}\n  {added}"


def merge_purchases(table: Table, staging: str) -> str:
    """One statement that brings staged purchases into `table`, each over the one of the same identity.

    The bounds of the staged timestamps let BigQuery skip the other days of the target. Of purchases staged twice one
    is taken: a MERGE refuses two source rows for one of the target.
    """
    names = [column.name for column in table.columns]
    same = "\n  AND ".join(f"target.{name} = source.{name}" for name in IDENTITY)
    updated = ",\n  ".join(f"{name} = source.{name}" for name in names if name not in IDENTITY)
    listed = ", ".join(names)
    one_each = f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {', '.join(IDENTITY)} ORDER BY {TIMESTAMP_COLUMN}) = 1"
    return (
        f"MERGE {table.name} AS target\nUSING (\n  SELECT * FROM {staging} WHERE TRUE\n  {one_each}\n) AS source\n"
        f"ON {same}\n  AND target.{TIMESTAMP_COLUMN} BETWEEN @{EARLIEST} AND @{LATEST}\n"
        f"WHEN MATCHED THEN UPDATE SET\n  {updated}\n"
        f"WHEN NOT MATCHED BY TARGET THEN\n  INSERT ({listed})\n  VALUES ({listed})"
    )


def schema(table: Table) -> list[bigquery.SchemaField]:
    return [
        bigquery.SchemaField(
            column.name, column.type, "NULLABLE" if column.nullable else "REQUIRED", description=column.description
        )
        for column in table.columns
    ]


def canonical_type(field: bigquery.SchemaField) -> str:
    """The standard name of a field's type: the API still answers with those of legacy SQL."""
    name = _TYPES.get(field.field_type, field.field_type)
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name


def job_parameters(parameters: Mapping[str, Parameter]) -> list[bigquery.ScalarQueryParameter]:
    return [
        bigquery.ScalarQueryParameter(name, _PARAMETER_TYPES[type(value)], value) for name, value in parameters.items()
    ]


def job_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """`labels` within BigQuery's rules: a-z, 0-9, _ and -, at most 63 characters, a key starts with a letter."""
    return {_label_key(key): _label_text(value) for key, value in labels.items()}


def _label_key(key: str) -> str:
    text = _label_text(key)
    return text if re.match("[a-z]", text) else _label_text(f"label_{text}")


def _label_text(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:_LABEL_LENGTH]
