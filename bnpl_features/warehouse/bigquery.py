"""The BigQuery warehouse: statements run as query jobs, partitions are read over the Storage Read API.

The only module of the library, with its parts `bigquery_statements` and `bigquery_errors`, that imports Google's
clients; nothing imports it before a BigQuery warehouse is asked for.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import IO, TypedDict

import pyarrow as pa
from google.api_core.retry import Retry
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY, DEFAULT_RETRY
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types

from bnpl_features.derive.query import Parameter, Query
from bnpl_features.derive.table import Table, transactions_table
from bnpl_features.errors import BnplFeaturesError, SettingsError
from bnpl_features.warehouse import bigquery_statements as statements
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.bigquery_emulator import emulator_client, emulator_storage
from bnpl_features.warehouse.bigquery_errors import named_errors
from bnpl_features.warehouse.spool import spool, spool_rows
from bnpl_features.warehouse.warehouse import Labels, Written, told_of_the_first

TIMEOUT_SECONDS = 600.0
RETRY_SECONDS = 60.0
"""How long a request that fails at once, as on a refused connection or a 503, is sent again."""

RESULT_ROWS = 10_000
"""Results up to this size come with the answer; larger ones over the Storage Read API, where that can read results."""

STAGING_LIFE = timedelta(hours=24)
"""When a staging table vanishes by itself, should the process be killed before dropping it."""


_COMPRESSED = types.ArrowSerializationOptions(
    buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
)


class _Limits(TypedDict):
    retry: Retry
    timeout: float


@dataclass(frozen=True)
class BigQueryWarehouse:
    """Tables of one dataset (`dataset` or `project.dataset`); jobs run in the client's project and location.

    `timeout_seconds` bounds each statement, on BigQuery's side too: a job that nobody waits for any more ends by
    itself. `storage_client` defaults to one with the client's own credentials. `results_over_storage` is False for an
    emulator, whose Storage Read API does not know the anonymous tables that hold results.
    """

    client: bigquery.Client
    dataset: str
    maximum_bytes_billed: int | None = None
    timeout_seconds: float = TIMEOUT_SECONDS
    storage_client: BigQueryReadClient | None = None
    results_over_storage: bool = True

    @property
    def name(self) -> str:
        return f"BigQuery {self._dataset.project}.{self._dataset.dataset_id}"

    @property
    def rows_at_once(self) -> None:
        return None

    def columns(self, relation: str) -> dict[str, str]:
        qualified = relation if "." in relation else f"{self._dataset.project}.{self._dataset.dataset_id}.{relation}"
        with named_errors(self.name):
            found = self.client.get_table(qualified, **self._limits)
        return {field.name: statements.canonical_type(field) for field in found.schema}

    def replace_partition(self, table: Table, partition: date, query: Query, labels: Labels) -> Written:
        started = time.perf_counter()
        self._ensure(table, labels)
        replaced = {statements.REPLACED: partition}
        sql = statements.replace_partition(table, query.sql)
        job, _ = self._run(sql, {**query.parameters, **replaced}, labels)
        _, counted = self._run(statements.count_partition(table), replaced, labels)
        rows = next(iter(counted))["row_count"]
        return Written(rows, job.total_bytes_processed, time.perf_counter() - started, job.job_id)

    def replace_partitions(
        self, table: Table, partitions: Sequence[date], query: Query, labels: Labels
    ) -> dict[date, Written]:
        started = time.perf_counter()
        self._ensure(table, labels)
        replaced = {statements.FIRST_REPLACED: partitions[0], statements.LAST_REPLACED: partitions[-1]}
        sql = statements.replace_partitions(table, query.sql)
        job, _ = self._run(sql, {**query.parameters, **replaced}, labels)
        _, counted = self._run(statements.count_partitions(table), replaced, labels)
        rows = {row[table.partition_column]: row["row_count"] for row in counted}
        written = {day: Written(rows.get(day, 0), None, 0.0) for day in partitions}
        return told_of_the_first(written, job.total_bytes_processed, time.perf_counter() - started, job.job_id)

    def read(self, query: Query, labels: Labels) -> Iterator[pa.RecordBatch]:
        job, rows = self._run(query.sql, query.parameters, labels)
        if self.results_over_storage and rows.total_rows > RESULT_ROWS:
            yield from self._stored(job.destination)
        else:
            with named_errors(self.name):
                yield from rows.to_arrow_iterable()

    def read_partition(
        self, table: Table, partition: date, columns: tuple[str, ...], labels: Labels
    ) -> Iterator[pa.RecordBatch]:
        """One snapshot of the partition; BigQuery cannot tell one that was never written from one without rows."""
        restriction = f"{table.partition_column} = '{partition}'"
        for batch in self._stored(self._dataset.table(table.name), columns, restriction):
            yield batch.select(columns)

    def replace_partition_rows(
        self, table: Table, partition: date, batches: Iterator[pa.RecordBatch], labels: Labels
    ) -> Written:
        """The rows land in a staging table, from which one statement replaces the partition."""
        with tempfile.TemporaryFile(prefix="bnpl-load-", suffix=".parquet") as file:
            spool_rows(batches, arrow_schema(table), file)
            columns = tuple(column for column in table.columns if column.name != table.partition_column)
            with self._staging(replace(table, columns=columns)) as staging:
                self._load(file, staging, labels)
                listed = ", ".join(column.name for column in columns)
                return self.replace_partition(
                    table, partition, Query(f"SELECT {listed} FROM {staging.table_id}"), labels
                )

    def upsert_transactions(self, batches: Iterator[pa.RecordBatch], labels: Labels) -> int:
        table = transactions_table()
        with tempfile.TemporaryFile(prefix="bnpl-load-", suffix=".parquet") as file:
            spooled = spool(batches, table, file)
            if spooled.rows:
                self._ensure(table, labels)
                with self._staging(table) as staging:
                    self._load(file, staging, labels)
                    bounds = {statements.EARLIEST: spooled.earliest, statements.LATEST: spooled.latest}
                    self._run(statements.merge_purchases(table, staging.table_id), bounds, labels)
        return spooled.rows

    def estimate_bytes(self, query: Query) -> int | None:
        with named_errors(self.name):
            job = self.client.query(
                query.sql,
                job_config=bigquery.QueryJobConfig(
                    dry_run=True,
                    use_query_cache=False,
                    default_dataset=self._dataset,
                    query_parameters=statements.job_parameters(query.parameters),
                ),
                **self._limits,
                job_retry=None,
            )
        return int(job.total_bytes_processed)

    @property
    def _dataset(self) -> bigquery.DatasetReference:
        return bigquery.DatasetReference.from_string(self.dataset, default_project=self.client.project)

    @property
    def _limits(self) -> _Limits:
        """Of one request: Google's own judgement of what is transient, for no longer than the caller waits."""
        retry = DEFAULT_RETRY.with_timeout(min(RETRY_SECONDS, self.timeout_seconds))
        return {"retry": retry, "timeout": self.timeout_seconds}

    @cached_property
    def _storage(self) -> BigQueryReadClient:
        return self.storage_client or BigQueryReadClient(credentials=self.client._credentials)

    def _run(
        self, sql: str, parameters: Mapping[str, Parameter], labels: Labels
    ) -> tuple[bigquery.QueryJob, bigquery.table.RowIterator]:
        config = bigquery.QueryJobConfig(
            default_dataset=self._dataset,
            query_parameters=statements.job_parameters(parameters),
            labels=statements.job_labels(labels),
            maximum_bytes_billed=self.maximum_bytes_billed,
            job_timeout_ms=int(self.timeout_seconds * 1000),
        )
        with named_errors(self.name):
            # job_retry=None here only takes away a second, ten-minute loop around the request that starts the job.
            job = self.client.query(sql, job_config=config, **self._limits, job_retry=None)
            rows = job.result(
                page_size=RESULT_ROWS,
                **self._limits,
                job_retry=DEFAULT_JOB_RETRY.with_timeout(self.timeout_seconds),
            )
        return job, rows

    def _stored(
        self, table: bigquery.TableReference, columns: tuple[str, ...] = (), restriction: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """A table's rows in one stream, which keeps their order and a single batch in memory."""
        session = types.ReadSession(
            table=table.to_bqstorage(),
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(
                selected_fields=columns, row_restriction=restriction, arrow_serialization_options=_COMPRESSED
            ),
        )
        parent = f"projects/{self.client.project}"
        with named_errors(self.name):
            opened = self._storage.create_read_session(
                parent=parent, read_session=session, max_stream_count=1, **self._limits
            )
            schema = pa.ipc.read_schema(pa.py_buffer(opened.arrow_schema.serialized_schema))
            for stream in opened.streams:
                for message in self._storage.read_rows(stream.name, **self._limits):
                    batch = message.arrow_record_batch.serialized_record_batch
                    yield pa.ipc.read_record_batch(pa.py_buffer(batch), schema)

    def _ensure(self, table: Table, labels: Labels) -> None:
        """Create the table, or add the columns that it lacks."""
        wanted = bigquery.Table(self._dataset.table(table.name), schema=statements.schema(table))
        wanted.description = table.description
        wanted.time_partitioning = bigquery.TimePartitioning(field=table.partition_column)
        wanted.clustering_fields = list(table.cluster_by)
        with named_errors(self.name):
            found = self.client.create_table(wanted, exists_ok=True, **self._limits)
        existing = {field.name for field in found.schema}
        missing = [column for column in table.columns if column.name not in existing]
        if missing:
            self._run(statements.add_columns(table, missing), {}, labels)

    @contextmanager
    def _staging(self, table: Table) -> Iterator[bigquery.Table]:
        """A table of the same columns, all nullable as those of a Parquet file are, dropped when the block ends."""
        fields = [bigquery.SchemaField(column.name, column.type) for column in table.columns]
        staging = bigquery.Table(self._dataset.table(f"{table.name}_load_{uuid.uuid4().hex}"), schema=fields)
        staging.expires = datetime.now(UTC) + STAGING_LIFE
        with named_errors(self.name):
            self.client.create_table(staging, **self._limits)
        try:
            yield staging
        finally:
            # Should this fail, the table vanishes by itself; the load's own outcome is what the caller must learn.
            with suppress(BnplFeaturesError), named_errors(self.name):
                self.client.delete_table(staging, not_found_ok=True, **self._limits)

    def _load(self, file: IO[bytes], staging: bigquery.Table, labels: Labels) -> None:
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=staging.schema,
            labels=statements.job_labels(labels),
            job_timeout_ms=int(self.timeout_seconds * 1000),
        )
        with named_errors(self.name):
            # Without a size the client uploads in resumable chunks, each sent again by itself.
            job = self.client.load_table_from_file(
                file, staging.reference, rewind=True, job_config=config, timeout=self.timeout_seconds
            )
            job.result(**self._limits)


def connect(
    dataset: str,
    *,
    project: str | None = None,
    location: str | None = None,
    maximum_bytes_billed: int | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    api_endpoint: str = "",
    storage_endpoint: str = "",
) -> BigQueryWarehouse:
    """A warehouse with the environment's own credentials; or, where endpoints are given, an emulator's, without any.

    `api_endpoint` is a URL such as http://127.0.0.1:9050, `storage_endpoint` a host and port such as 127.0.0.1:9060.
    """
    if bool(api_endpoint) != bool(storage_endpoint):
        raise SettingsError(
            "an emulator has two endpoints: set both BNPL_BIGQUERY_API_ENDPOINT and BNPL_BIGQUERY_STORAGE_ENDPOINT"
        )
    with named_errors(f"BigQuery {dataset}"):
        if api_endpoint:
            client = emulator_client(project, location, api_endpoint)
        else:
            client = bigquery.Client(project=project, location=location)
        storage_client = emulator_storage(storage_endpoint) if storage_endpoint else None
    return BigQueryWarehouse(
        client, dataset, maximum_bytes_billed, timeout_seconds, storage_client, results_over_storage=not api_endpoint
    )
