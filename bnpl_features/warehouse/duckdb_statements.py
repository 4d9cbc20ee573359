"""How statements reach DuckDB: translated from BigQuery's dialect, names of files as literals, errors named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa
import sqlglot

from bnpl_features.warehouse.duckdb_errors import named_errors

BATCH_ROWS = 100_000
_GLOB = re.compile(r"[*?\[]")


def text_literal(value: Path | str) -> str:
    """A path, or a setting, as a literal of SQL: where these stand DuckDB takes no parameters."""
    return "'" + str(value).replace("'", "''") + "'"


def files_literal(paths: list[Path]) -> str:
    """A list of files as a literal of SQL; what would be a pattern in a name stands for itself."""
    return "[" + ", ".join(text_literal(_GLOB.sub("[\\g<0>]", str(path))) for path in paths) + "]"


@lru_cache(maxsize=256)
def translated(sql: str) -> str:
    return sqlglot.transpile(sql, read="bigquery", write="duckdb")[0]


def run(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, object]) -> duckdb.DuckDBPyConnection:
    with named_errors():
        return connection.execute(sql, parameters)


def stream(connection: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, object]) -> Iterator[pa.RecordBatch]:
    with named_errors():
        batches = connection.sql(sql, params=parameters).to_arrow_reader(BATCH_ROWS)
    while True:
        # Whoever takes the batches may fail as well, but not inside this block.
        with named_errors():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
