"""Reads files of purchases into the warehouse: all of them if every row keeps the source contract, otherwise none.

The files are first copied, as the contract's types, to a spool of Parquet files in the temporary folder; broken rules
and duplicates are found there, so memory does not grow with the input, and nothing is written before all is checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from bnpl_features.errors import InputError, QueryFailed
from bnpl_features.features.purchase import IDENTITY, PURCHASE_COLUMNS, TIMESTAMP_COLUMN, Column, ColumnType
from bnpl_features.warehouse.conversion import convert, null_of
from bnpl_features.warehouse.duckdb import NAN_IS_POSSIBLE
from bnpl_features.warehouse.files import ANY, POSITION, TEXT, OpenFile, find_files, open_file, readable
from bnpl_features.warehouse.transactions import Source, check_columns
from bnpl_features.warehouse.validate import (
    FILE,
    ROW,
    UNREADABLE,
    UNZONED,
    PurchaseProblems,
    purchase_problems,
    require_valid,
)
from bnpl_features.warehouse.warehouse import Warehouse

__all__ = ["LoadReport", "Progress", "PurchaseProblems", "load", "purchase_problems"]

Progress = Callable[[str, int, int], None]
"""Called with a step (read: bytes, write: rows), how much of it is done, and how much there is."""

BATCH_ROWS = 100_000
MEMORY_LIMIT = "2GB"
"""Beyond it DuckDB spills to the temporary folder."""

_ARROW = {
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.INT64: pa.int64(),
    ColumnType.BOOL: pa.bool_(),
}
SCHEMA = pa.schema([(column.name, _ARROW[column.type]) for column in PURCHASE_COLUMNS])
_NAMES = ", ".join(SCHEMA.names)
_SPOOL = "spool"


@dataclass(frozen=True)
class LoadReport:
    """What a load did; timestamps, days, customers and statuses are those of the rows loaded."""

    files: int
    rows_read: int
    rows_loaded: int
    duplicates_dropped: int
    first_timestamp: datetime
    last_timestamp: datetime
    days: int
    customers: int
    rows_by_status: Mapping[str, int]
    absent_columns: tuple[str, ...]
    """Columns that a file lacked; they are null in its rows."""


def load(
    warehouse: Warehouse,
    paths: Sequence[str],
    source: Source,
    *,
    assume_timezone: str | None = None,
    now: datetime,
    progress: Progress = lambda step, done, total: None,
) -> LoadReport:
    """Add the purchases of Parquet, CSV or NDJSON files, replacing those that the warehouse holds already.

    `paths` are files, folders and globs. `source` gives the names of columns in them; its relation is not used.
    Timestamps without a zone are taken to be of `assume_timezone`; those after `now` are refused.
    Raises `InputError`, with nothing written, unless every file and row keeps the contract of docs/source.md.
    """
    files = find_files(paths)
    with tempfile.TemporaryDirectory(prefix="bnpl-load-") as folder, _connection(Path(folder)) as connection:
        scratch = Path(folder)
        _require_zone(connection, assume_timezone)
        opened = [open_file(connection, file, scratch / f"input-{number}") for number, file in enumerate(files)]
        mapped = [_mapped(file, source, assume_timezone) for file in opened]
        _spool(connection, opened, mapped, assume_timezone, scratch, progress)
        names = [file.name for file in files]
        rows = _count(connection, _SPOOL)
        if not rows:
            raise InputError(f"there are no purchases in {_listed(names)}; name the files that hold some")
        require_valid(connection, _SPOOL, now, names)
        kept = _without_duplicates(connection, names)
        report = _report(connection, kept, opened, mapped, rows)
        received = warehouse.upsert_transactions(
            _batches(connection, kept, report.rows_loaded, progress), {"asset": "transactions"}
        )
    if received != report.rows_loaded:
        raise QueryFailed(
            f"{warehouse.name} took {received:,} of {report.rows_loaded:,} purchases; load the files again, "
            "which replaces what was written"
        )
    return report


@contextmanager
def _connection(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(NAN_IS_POSSIBLE)
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = '{scratch / 'spill'}'")
        yield connection
    finally:
        connection.close()


def _require_zone(connection: duckdb.DuckDBPyConnection, zone: str | None) -> None:
    known = "SELECT 1 FROM pg_timezone_names() WHERE name = ?"
    if zone is not None and not connection.execute(known, [zone]).fetchone():
        raise InputError(f"{zone!r} is no time zone; use UTC or an IANA name such as America/New_York")


def _mapped(opened: OpenFile, source: Source, assume_timezone: str | None) -> Source:
    """The source with the names that this file uses; raises `InputError` unless its columns fit the contract."""
    aliases = {
        column.name: column.alias
        for column in PURCHASE_COLUMNS
        if column.name not in {*source.columns, *opened.types} and column.alias in opened.types
    }
    mapped = Source(source.relation, {**source.columns, **aliases})
    own_names = {mapped.own_name(column): column for column in PURCHASE_COLUMNS}
    repeated = sorted(opened.repeated & set(own_names))
    if repeated:
        raise InputError(f"{opened.file.name} has several columns named {', '.join(repeated)}; keep one of each")
    found = {
        name: _accepted(own_names[name], kind, opened.is_text, assume_timezone) if name in own_names else kind
        for name, kind in opened.types.items()
    }
    check_columns(mapped, found, opened.file.name)
    return mapped


def _accepted(column: Column, kind: str, is_text: bool, assume_timezone: str | None) -> str:
    """The type as which a column counts: text may hold timestamps, and anything where the file knows no types."""
    is_timestamp = column.type is ColumnType.TIMESTAMP
    if (
        kind == ANY
        or (is_timestamp and is_text and kind == TEXT)
        or (is_timestamp and assume_timezone and kind == "DATETIME")
    ):
        return column.type
    return kind


def _spool(
    connection: duckdb.DuckDBPyConnection,
    opened: Sequence[OpenFile],
    mapped: Sequence[Source],
    zone: str | None,
    scratch: Path,
    progress: Progress,
) -> None:
    sizes = [file.file.path.stat().st_size for file in opened]
    progress("read", 0, sum(sizes))
    for number, (file, source) in enumerate(zip(opened, mapped, strict=True)):
        target = scratch / f"{_SPOOL}-{number:06d}.parquet"
        with readable(file.file):
            connection.execute(f"COPY ({_canonical(file, source, zone, number)}) TO '{target}' (FORMAT parquet)")
        progress("read", sum(sizes[: number + 1]), sum(sizes))
    connection.execute(f"CREATE VIEW {_SPOOL} AS SELECT * FROM read_parquet('{scratch / _SPOOL}-*.parquet')")


def _canonical(file: OpenFile, source: Source, zone: str | None, number: int) -> str:
    """The file's rows in the contract's columns and types, with what could not be read as such noted beside them."""
    converted = {
        column: convert(column, file.expressions[own], file, file.types[own], zone)
        for column in PURCHASE_COLUMNS
        if (own := source.own_name(column)) in file.types
    }
    selected = [
        f"{converted[column].value if column in converted else null_of(column)} AS {column.name}"
        for column in PURCHASE_COLUMNS
    ]
    failures = [f"IF({c.failed}, '{column.name},', '')" for column, c in converted.items() if c.failed]
    unreadable = f"CONCAT({', '.join(failures)})" if failures else "''"
    unzoned = next((c.unzoned for c in converted.values() if c.unzoned), "false")
    return (
        f"SELECT {', '.join(selected)}, {number} AS {FILE}, {POSITION} AS {ROW}, "
        f"IF({unreadable} = '', '', ',' || {unreadable}) AS {UNREADABLE}, COALESCE({unzoned}, false) AS {UNZONED} "
        f"FROM {file.relation}"
    )


def _without_duplicates(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> str:
    """The relation without repeated rows; raises `InputError` if one identity has several contents."""
    identity = ", ".join(IDENTITY)
    connection.execute(
        f"CREATE TEMP TABLE repeated AS SELECT {identity} FROM {_SPOOL} GROUP BY {identity} HAVING COUNT(*) > 1"
    )
    if not _count(connection, "repeated"):
        return _SPOOL
    connection.execute(f"CREATE TEMP TABLE candidates AS SELECT * FROM {_SPOOL} SEMI JOIN repeated USING ({identity})")
    _refuse_conflicts(connection, identity, names)
    connection.execute(
        f"CREATE TEMP TABLE dropped AS SELECT {FILE}, {ROW} FROM candidates "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {identity} ORDER BY {FILE}, {ROW}) > 1"
    )
    return f"(SELECT * FROM {_SPOOL} ANTI JOIN dropped USING ({FILE}, {ROW}))"


def _refuse_conflicts(connection: duckdb.DuckDBPyConnection, identity: str, names: Sequence[str]) -> None:
    contents = f"SELECT {_NAMES}, MIN(({FILE}, {ROW})) AS place FROM candidates GROUP BY {_NAMES}"
    row = connection.execute(
        f"SELECT COUNT(*), MIN(places) FROM (SELECT LIST_SORT(LIST(place))[1:2] AS places FROM ({contents}) "
        f"GROUP BY {identity} HAVING COUNT(*) > 1)"
    ).fetchone()
    if row and row[0]:
        (file, position), (other, other_position) = row[1]
        raise InputError(
            f"nothing was loaded, because {row[0]:,} purchases ({identity}) appear with different contents, such as "
            f"{names[file]} row {position} and {names[other]} row {other_position}; keep the one that holds, "
            "or load the newer file after the older"
        )


def _report(
    connection: duckdb.DuckDBPyConnection, kept: str, opened: Sequence[OpenFile], mapped: Sequence[Source], rows: int
) -> LoadReport:
    first, last, days, customers = connection.execute(
        f"SELECT MIN({TIMESTAMP_COLUMN}), MAX({TIMESTAMP_COLUMN}), COUNT(DISTINCT CAST({TIMESTAMP_COLUMN} AS DATE)), "
        f"COUNT(DISTINCT customer_id) FROM {kept}"
    ).fetchall()[0]
    by_status = connection.execute(f"SELECT status, COUNT(*) FROM {kept} GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    loaded = sum(count for _, count in by_status)
    absent = tuple(
        column.name
        for column in PURCHASE_COLUMNS
        if any(source.own_name(column) not in file.types for file, source in zip(opened, mapped, strict=True))
    )
    return LoadReport(len(opened), rows, loaded, rows - loaded, first, last, days, customers, dict(by_status), absent)


def _batches(
    connection: duckdb.DuckDBPyConnection, kept: str, rows: int, progress: Progress
) -> Iterator[pa.RecordBatch]:
    done = 0
    progress("write", done, rows)
    for batch in connection.sql(f"SELECT {_NAMES} FROM {kept}").to_arrow_reader(BATCH_ROWS):
        yield batch.cast(SCHEMA)
        done += batch.num_rows
        progress("write", done, rows)


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"SELECT COUNT(*) FROM {relation}").fetchall()[0][0])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"
