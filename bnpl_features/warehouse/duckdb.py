"""The embedded warehouse: DuckDB over a folder of Parquet files, one a table and day.

A partition is one file that a newer one supersedes: readers of other processes see the old partition or the new one, a
killed writer leaves neither half, and no process locks another out (see docs/decisions/0002-embedded-warehouse.md).
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN, Table, transactions_table
from bnpl_features.errors import RelationMissing, SettingsError, WarehouseUnavailable
from bnpl_features.features.purchase import IDENTITY, TIMESTAMP_COLUMN
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.duckdb_statements import files_literal, run, stream, text_literal, translated
from bnpl_features.warehouse.generations import current_file, current_files, next_generation
from bnpl_features.warehouse.spool import spool_rows
from bnpl_features.warehouse.warehouse import Labels, Written, told_of_the_first

ROWS_AT_ONCE = 10_000_000
"""With its window functions and aggregates a row takes up to 700 bytes of memory."""

NAN_IS_POSSIBLE = "SET disabled_optimizers = 'statistics_propagation'"
"""DuckDB 2.0 takes the bounds in a Parquet file, which leave NaN out where Arrow wrote it, as a proof of no NaN."""
NOTHING_IS_KEPT = "SET enable_external_file_cache = false"
"""Or DuckDB would hold what it read of the files from one statement to the next, up to the limit on memory."""

_DAY = "day"
_PARQUET = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"

_CANONICAL = {
    "VARCHAR": "STRING",
    "DOUBLE": "FLOAT64",
    "FLOAT": "FLOAT64",
    "BIGINT": "INT64",
    "INTEGER": "INT64",
    "SMALLINT": "INT64",
    "TINYINT": "INT64",
    "BOOLEAN": "BOOL",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "TIMESTAMP": "DATETIME",
    "TIMESTAMP_NS": "DATETIME",
    "TIMESTAMP_MS": "DATETIME",
    "TIMESTAMP_S": "DATETIME",
    "UBIGINT": "INT64",
    "UINTEGER": "INT64",
    "USMALLINT": "INT64",
    "UTINYINT": "INT64",
    "UUID": "STRING",
    "DATE": "DATE",
}


class DuckDBWarehouse:
    """Tables as `folder/<table>/<partition>/data-<generation>.parquet`; statements run here on `threads` cores."""

    def __init__(self, folder: Path, *, threads: int = 0, memory_limit: str = "") -> None:
        self._folder = Path(folder)
        self._threads = threads
        self._memory_limit = memory_limit

    @property
    def name(self) -> str:
        return f"DuckDB in {self._folder}"

    @property
    def rows_at_once(self) -> int:
        return ROWS_AT_ONCE

    def columns(self, relation: str) -> dict[str, str]:
        sql = f'DESCRIBE SELECT * FROM "{relation}"'
        with self._connection(sql) as connection:
            rows = run(connection, sql, {}).fetchall()
        return {row[0]: canonical_type(row[1]) for row in rows}

    def replace_partition(self, table: Table, partition: date, query: Query, labels: Labels) -> Written:
        started = time.perf_counter()
        sql = translated(query.sql)
        with self._connection(sql) as connection, next_generation(self._partition(table, partition)) as target:
            row = run(
                connection, f"COPY ({sql}) TO {text_literal(target)} ({_PARQUET})", dict(query.parameters)
            ).fetchone()
        return Written(int(row[0]) if row else 0, None, time.perf_counter() - started)

    def replace_partitions(
        self, table: Table, partitions: Sequence[date], query: Query, labels: Labels
    ) -> dict[date, Written]:
        started = time.perf_counter()
        sql = translated(query.sql)
        written = {}
        with self._connection(sql) as connection:
            run(connection, f"CREATE TEMP TABLE computed AS {sql}", dict(query.parameters))
            for partition in partitions:
                rows = (
                    f"SELECT * EXCLUDE {table.partition_column} FROM computed "
                    f"WHERE {table.partition_column} = {text_literal(str(partition))}::DATE"
                )
                with next_generation(self._partition(table, partition)) as target:
                    row = run(connection, f"COPY ({rows}) TO {text_literal(target)} ({_PARQUET})", {}).fetchone()
                written[partition] = Written(int(row[0]) if row else 0, None, 0.0)
        return told_of_the_first(written, None, time.perf_counter() - started)

    def read(self, query: Query, labels: Labels) -> Iterator[pa.RecordBatch]:
        sql = translated(query.sql)
        with self._connection(sql) as connection:
            yield from stream(connection, sql, dict(query.parameters))

    def read_partition(
        self, table: Table, partition: date, columns: tuple[str, ...], labels: Labels
    ) -> Iterator[pa.RecordBatch]:
        file = current_file(self._partition(table, partition))
        if file is None:
            raise RelationMissing(
                f"{table.name} has no partition {partition} in {self._folder}; materialise that partition first"
            )
        with self._connection() as connection:
            listed = ", ".join(columns)
            yield from stream(connection, f"SELECT {listed} FROM read_parquet({files_literal([file])})", {})

    def replace_partition_rows(
        self, table: Table, partition: date, batches: Iterator[pa.RecordBatch], labels: Labels
    ) -> Written:
        started = time.perf_counter()
        with next_generation(self._partition(table, partition)) as target, target.open("wb") as file:
            rows = spool_rows(batches, arrow_schema(table), file)
        return Written(rows, None, time.perf_counter() - started)

    def upsert_transactions(self, batches: Iterator[pa.RecordBatch], labels: Labels) -> int:
        table = transactions_table()
        names = ", ".join(column.name for column in table.columns)
        with self._exclusive(), self._scratch() as scratch, self._connection() as connection:
            received = _spool_by_day(connection, batches, names, scratch)
            for incoming in sorted(scratch.glob(f"{_DAY}=*")):
                day = self._folder / table.name / incoming.name
                with next_generation(day) as target:
                    run(connection, _merge_day(incoming, current_file(day), names, target), {})
        return received

    def estimate_bytes(self, query: Query) -> int | None:
        return None

    def _partition(self, table: Table, partition: date) -> Path:
        return self._folder / table.name / f"{PARTITION_COLUMN}={partition}"

    @contextmanager
    def _connection(self, sql: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own, to which every folder that the statement mentions is a view, and to no other."""
        if not self._folder.is_dir():
            raise WarehouseUnavailable(
                f"the warehouse folder {self._folder} does not exist; "
                "run `bnpl-features simulate` or `bnpl-features load FILE`, or set BNPL_WAREHOUSE_FOLDER"
            )
        connection = self._database.cursor()
        try:
            connection.execute("SET TimeZone = 'UTC'")
            for folder in sorted(self._folder.iterdir()):
                if folder.name in sql and folder.is_dir() and (files := current_files(folder)):
                    run(connection, _view(folder.name, files), {})
            yield connection
        finally:
            connection.close()

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        """An empty database in memory, since one takes 13 ms to make, and another connection to it a third of one."""
        database = duckdb.connect(":memory:")
        try:
            self._configure(database)
        except SettingsError:
            database.close()
            raise
        return database

    def _configure(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(NAN_IS_POSSIBLE)
        connection.execute(NOTHING_IS_KEPT)
        connection.execute(f"SET temp_directory = {text_literal(self._folder / '.spill')}")
        if self._threads:
            connection.execute(f"SET threads = {self._threads}")
        if self._memory_limit:
            try:
                connection.execute(f"SET memory_limit = {text_literal(self._memory_limit)}")
            except duckdb.Error as error:
                raise SettingsError(
                    f"BNPL_WAREHOUSE_MEMORY_LIMIT (or warehouse.memory_limit) is {self._memory_limit!r}; "
                    "write a number and its unit, such as 2GB"
                ) from error

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix=".load-", dir=self._folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One loader at a time: two that merge into the same day would lose one another's rows."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / ".load.lock").open("w")
        except OSError as error:
            raise WarehouseUnavailable(
                f"the warehouse folder {self._folder} cannot be written: {error.strerror}; "
                "correct its permissions, or set BNPL_WAREHOUSE_FOLDER"
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def canonical_type(duckdb_type: str) -> str:
    """The BigQuery name of a DuckDB type; a TIMESTAMP without a zone is BigQuery's DATETIME."""
    if duckdb_type.startswith("DECIMAL"):
        return "NUMERIC"
    if duckdb_type.startswith("ENUM"):
        return "STRING"
    return _CANONICAL.get(duckdb_type, duckdb_type)


def _view(table: str, files: list[Path]) -> str:
    is_transactions = table == transactions_table().name
    # Days written before a feature was added lack its column; transactions keep one schema.
    options = "hive_partitioning = false" if is_transactions else "hive_partitioning = true, union_by_name = true"
    return f'CREATE TEMP VIEW "{table}" AS SELECT * FROM read_parquet({files_literal(files)}, {options})'


def _spool_by_day(
    connection: duckdb.DuckDBPyConnection, batches: Iterator[pa.RecordBatch], names: str, scratch: Path
) -> int:
    first = next(batches, None)
    if first is None:
        return 0

    def all_batches() -> Iterator[pa.RecordBatch]:
        yield first
        yield from batches

    connection.register("incoming", pa.RecordBatchReader.from_batches(first.schema, all_batches()))
    row = connection.execute(
        f"COPY (SELECT {names}, CAST({TIMESTAMP_COLUMN} AS DATE) AS {_DAY} FROM incoming) "
        f"TO {text_literal(scratch)} (FORMAT parquet, PARTITION_BY ({_DAY}), OVERWRITE_OR_IGNORE)"
    ).fetchone()
    connection.unregister("incoming")
    return int(row[0]) if row else 0


def _merge_day(incoming: Path, existing: Path | None, names: str, target: Path) -> str:
    """The day's rows with the incoming ones in place of those of the same identity, clustered by customer."""
    received = f"read_parquet({files_literal(sorted(incoming.glob('*.parquet')))}, hive_partitioning = false)"
    rows = f"SELECT {names}, 1 AS is_incoming FROM {received}"
    if existing:
        rows += f" UNION ALL SELECT {names}, 0 FROM read_parquet({files_literal([existing])})"
    identity = ", ".join(IDENTITY)
    newest = f"ROW_NUMBER() OVER (PARTITION BY {identity} ORDER BY is_incoming DESC) = 1"
    return (
        f"COPY (SELECT {names} FROM ({rows}) QUALIFY {newest} ORDER BY customer_id, {TIMESTAMP_COLUMN}) "
        f"TO {text_literal(target)} ({_PARQUET})"
    )
