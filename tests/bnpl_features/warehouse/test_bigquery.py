"""The BigQuery warehouse against an emulator that speaks BigQuery's own protocols, and against servers that fail."""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from google.cloud import bigquery

from bnpl_features.catalogue.observations import newest_partition
from bnpl_features.derive.profile import profile_query, profile_range_query, profiles_table
from bnpl_features.derive.profiled import OUTCOMES, TRANSACTIONS, group_subject
from bnpl_features.derive.query import Query, group_query, vectors_query
from bnpl_features.derive.range_query import group_range_query
from bnpl_features.derive.table import Table, TableColumn, group_table, transactions_table, vectors_table
from bnpl_features.errors import (
    BnplFeaturesError,
    QueryFailed,
    RelationMissing,
    SettingsError,
    WarehouseUnavailable,
)
from bnpl_features.features.catalog import ALL_FEATURES, GROUPS, PURCHASE_GROUPS
from bnpl_features.features.device import DEVICE
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.features.volume import VOLUME
from bnpl_features.interop.feast_repository import offline_query
from bnpl_features.warehouse import bigquery_statements as statements
from bnpl_features.warehouse.bigquery import RESULT_ROWS, BigQueryWarehouse, connect
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests import emulator, oracle
from tests.edge_cases import PARTITION, PARTITIONS, edge_case_transactions

EARLIER = PARTITION - timedelta(days=7)
LABELS = {"asset": "feature_volume", "run": "6f1c0b2e-1f5e-4b53-9a53-0d8a0a7f0a11"}
PATIENCE = 1.0
"""Seconds that a warehouse waits for a server of which the test knows that it will not answer."""

VISITS = Table(
    "visits",
    "Visits by day.",
    (
        TableColumn("partition_date", "DATE", "The day.", nullable=False),
        TableColumn("customer_id", "STRING", "The customer.", nullable=False),
        TableColumn("visits", "INT64", "Visits [count]"),
    ),
)


def new_warehouse(running: emulator.Emulator, **settings: object) -> BigQueryWarehouse:
    """A warehouse of an empty dataset of its own."""
    warehouse = connect(
        f"features_{uuid.uuid4().hex[:8]}",
        project="lender",
        api_endpoint=running.api_endpoint,
        storage_endpoint=running.storage_endpoint,
        **{"timeout_seconds": 30.0, **settings},
    )
    warehouse.client.create_dataset(warehouse.dataset)
    return warehouse


@pytest.fixture
def warehouse(running_emulator: emulator.Emulator) -> BigQueryWarehouse:
    return new_warehouse(running_emulator)


@pytest.fixture(scope="module")
def filled_warehouse(running_emulator: emulator.Emulator) -> BigQueryWarehouse:
    """Holds the edge cases; each test writes tables and partitions that no other one reads."""
    filled = new_warehouse(running_emulator)
    filled.upsert_transactions(iter(edge_case_transactions().to_batches()), LABELS)
    return filled


def visits(**by_customer: int | None) -> Query:
    rows = ", ".join(f"('{customer}', {number or 'NULL'})" for customer, number in by_customer.items())
    return Query(f"SELECT customer_id, visits FROM UNNEST(ARRAY<STRUCT<customer_id STRING, visits INT64>>[{rows}])")


def _nulls(table: Table) -> str:
    """A row of a customer who is not there, to be replaced."""
    types = [(column.name, column.type) for column in table.columns if column.name != "partition_date"]
    empty = {"STRING": "''", "INT64": "0", "FLOAT64": "0.0"}
    return ", ".join(f"{empty[kind]} AS {name}" for name, kind in types)


def held(warehouse: BigQueryWarehouse, partition: date, table: Table = VISITS) -> dict[str, int]:
    batches = warehouse.read_partition(table, partition, ("visits", "customer_id"), LABELS)
    rows = [row for batch in batches for row in batch.to_pylist()]
    return {row["customer_id"]: row["visits"] for row in rows}


class TestComputation:
    @pytest.mark.parametrize("partition", PARTITIONS, ids=str)
    @pytest.mark.parametrize("group", PURCHASE_GROUPS, ids=lambda group: group.name)
    def test_every_group_gives_the_rows_that_duckdb_gives(
        self,
        group: FeatureGroup,
        partition: date,
        filled_warehouse: BigQueryWarehouse,
        edge_case_warehouse: DuckDBWarehouse,
    ) -> None:
        query = group_query(group, partition)
        columns = ("customer_id", *(feature.name for feature in group.features))

        written = filled_warehouse.replace_partition(group_table(group), partition, query, LABELS)

        stored = frame(filled_warehouse.read_partition(group_table(group), partition, columns, LABELS))
        expected = frame(edge_case_warehouse.read(query, LABELS))
        assert written.rows == len(expected) > 0
        assert_same(stored, expected[list(columns)])

    def test_profiles_are_those_that_duckdb_gives(
        self, running_emulator: emulator.Emulator, edge_case_warehouse: DuckDBWarehouse
    ) -> None:
        warehouse = new_warehouse(running_emulator)
        warehouse.upsert_transactions(iter(edge_case_transactions().to_batches()), LABELS)
        group = VOLUME
        values = Query(group_query(group, PARTITION).sql, {"partition_date": PARTITION})
        warehouse.replace_partition(group_table(group), PARTITION, values, LABELS)
        for subject in (group_subject(group), TRANSACTIONS, OUTCOMES):
            computed = f"(SELECT *, @partition_date AS partition_date FROM ({values.sql}))"
            relation = computed if subject.name == "volume" else ""
            maturity = {"maturity_days": 30} if subject is OUTCOMES else {}
            query = profile_query(subject, PARTITION, relation, maturity)
            columns = tuple(one.name for one in profiles_table(subject).columns if one.name != "partition_date")
            own = profile_query(subject, PARTITION, "", maturity)

            warehouse.replace_partition(profiles_table(subject), PARTITION, own, LABELS)

            key = ("segment", "feature")
            stored = frame(warehouse.read_partition(profiles_table(subject), PARTITION, columns, LABELS), key)
            expected = frame(edge_case_warehouse.read(query, LABELS), key)
            pd.testing.assert_frame_equal(stored, expected[list(columns)], check_dtype=False, rtol=1e-9)
            assert len(stored) >= len(subject.columns)

    def test_a_range_of_partitions_is_written_by_one_statement_with_the_rows_that_duckdb_gives(
        self, running_emulator: emulator.Emulator, edge_case_warehouse: DuckDBWarehouse
    ) -> None:
        warehouse = new_warehouse(running_emulator)
        warehouse.upsert_transactions(iter(edge_case_transactions().to_batches()), LABELS)
        days = [PARTITION - timedelta(days=1), PARTITION]
        for group in GROUPS:
            table = group_table(group)
            columns = ("customer_id", *(feature.name for feature in group.features))
            warehouse.replace_partition(table, days[0], Query(f"SELECT {_nulls(table)}"), LABELS)

            written = warehouse.replace_partitions(table, days, group_range_query(group, *days), LABELS)

            for day in days:
                stored = frame(warehouse.read_partition(table, day, columns, LABELS))
                assert written[day].rows == len(stored) > 0
                if group.of:
                    expected = oracle.features(edge_case_transactions().to_pandas(), day)
                else:
                    expected = frame(edge_case_warehouse.read(group_query(group, day), LABELS))
                assert_same(stored, expected[list(columns)])
        subject = group_subject(VOLUME)
        query = profile_range_query(subject, *days)
        profiled = warehouse.replace_partitions(profiles_table(subject), days, query, LABELS)
        assert [profiled[day].rows for day in days] == [len(subject.columns)] * 2

    def test_the_vectors_join_the_groups(self, running_emulator: emulator.Emulator) -> None:
        warehouse = new_warehouse(running_emulator)
        warehouse.upsert_transactions(iter(edge_case_transactions().to_batches()), LABELS)
        rows = {
            warehouse.replace_partition(group_table(group), PARTITION, group_query(group, PARTITION), LABELS).rows
            for group in GROUPS
        }

        vectors = vectors_query(ALL_FEATURES, PARTITION)
        written = warehouse.replace_partition(vectors_table(), PARTITION, vectors, LABELS)

        assert rows == {written.rows}
        # What Feast and the catalogue ask of them.
        offline = frame(warehouse.read(offline_query(), LABELS))
        assert len(offline) == written.rows
        assert set(offline["event_timestamp"]) == {pd.Timestamp(PARTITION + timedelta(days=1), tz="UTC")}
        volume = group_subject(VOLUME)
        warehouse.replace_partition(profiles_table(volume), PARTITION, profile_query(volume, PARTITION), LABELS)
        assert newest_partition(warehouse, volume, LABELS) == PARTITION
        assert newest_partition(warehouse, group_subject(DEVICE), LABELS) is None

    def test_a_table_of_the_lenders_own_with_numeric_amounts_gives_the_same_features(
        self, filled_warehouse: BigQueryWarehouse
    ) -> None:
        filled_warehouse.client.query_and_wait(
            f"CREATE TABLE {filled_warehouse.dataset}.ledger AS SELECT * REPLACE (CAST(amount AS NUMERIC) AS amount) "
            f"FROM {filled_warehouse.dataset}.transactions"
        )

        of_ledger = frame(filled_warehouse.read(group_query(VOLUME, PARTITION, source="ledger"), LABELS))

        assert filled_warehouse.columns("ledger")["amount"] == "NUMERIC"
        assert_same(of_ledger, frame(filled_warehouse.read(group_query(VOLUME, PARTITION), LABELS)))


class TestReplacingAPartition:
    def test_the_table_is_made_partitioned_clustered_and_described(self, warehouse: BigQueryWarehouse) -> None:
        warehouse.replace_partition(VISITS, PARTITION, visits(ann=1), LABELS)

        made = warehouse.client.get_table(f"{warehouse.dataset}.visits")
        assert (made.time_partitioning.type_, made.time_partitioning.field) == ("DAY", "partition_date")
        assert made.clustering_fields == ["customer_id"]
        assert [field.description for field in made.schema] == ["The day.", "The customer.", "Visits [count]"]
        assert [field.mode for field in made.schema] == ["REQUIRED", "REQUIRED", "NULLABLE"]

    def test_a_rerun_leaves_the_same_rows_and_other_days_alone(self, warehouse: BigQueryWarehouse) -> None:
        warehouse.replace_partition(VISITS, EARLIER, visits(ann=7), LABELS)
        for _ in range(2):
            written = warehouse.replace_partition(VISITS, PARTITION, visits(ann=1, bob=2), LABELS)

        assert written.rows == 2
        assert held(warehouse, PARTITION) == {"ann": 1, "bob": 2}
        assert held(warehouse, EARLIER) == {"ann": 7}

    def test_customers_that_the_query_no_longer_yields_are_gone(self, warehouse: BigQueryWarehouse) -> None:
        warehouse.replace_partition(VISITS, PARTITION, visits(ann=1, bob=2), LABELS)

        warehouse.replace_partition(VISITS, PARTITION, visits(bob=None), LABELS)

        assert held(warehouse, PARTITION) == {"bob": None}

    def test_a_query_without_rows_empties_the_partition(self, warehouse: BigQueryWarehouse) -> None:
        warehouse.replace_partition(VISITS, PARTITION, visits(ann=1), LABELS)

        written = warehouse.replace_partition(VISITS, PARTITION, visits(), LABELS)

        assert written.rows == 0
        assert held(warehouse, PARTITION) == {}

    def test_a_query_that_fails_half_way_leaves_the_old_partition(self, warehouse: BigQueryWarehouse) -> None:
        warehouse.replace_partition(VISITS, PARTITION, visits(ann=1), LABELS)
        fails = Query(
            f"SELECT customer_id, CAST(visits / (visits - 2) AS INT64) AS visits FROM ({visits(ann=9, bob=2).sql})"
        )

        with pytest.raises(QueryFailed, match=r"job [0-9a-f-]{36} refused a statement: division by zero"):
            warehouse.replace_partition(VISITS, PARTITION, fails, LABELS)

        assert held(warehouse, PARTITION) == {"ann": 1}

    def test_a_feature_declared_later_gets_its_column_and_is_null_on_older_days(
        self, warehouse: BigQueryWarehouse
    ) -> None:
        warehouse.replace_partition(VISITS, EARLIER, visits(ann=7), LABELS)
        later = replace(VISITS, columns=(*VISITS.columns, TableColumn("minutes", "FLOAT64", 'The "customer\'s" time.')))

        query = Query(f"SELECT customer_id, visits, 1.5 AS minutes FROM ({visits(ann=1).sql})")
        warehouse.replace_partition(later, PARTITION, query, LABELS)

        for partition, minutes in ((EARLIER, [None]), (PARTITION, [1.5])):
            batches = list(warehouse.read_partition(later, partition, ("minutes",), LABELS))
            assert pa.Table.from_batches(batches).column("minutes").to_pylist() == minutes

    def test_a_missing_source_table_is_named(self, warehouse: BigQueryWarehouse) -> None:
        with pytest.raises(RelationMissing, match=r"transactions was not found.*load purchases"):
            warehouse.replace_partition(group_table(VOLUME), PARTITION, group_query(VOLUME, PARTITION), LABELS)


class RecordingClient(bigquery.Client):
    """Keeps the query jobs that it starts: the emulator forgets their configuration."""

    def query(self, *args: object, **kwargs: object) -> bigquery.QueryJob:
        job = super().query(*args, **kwargs)
        self.jobs = [*getattr(self, "jobs", []), job]
        return job


@pytest.fixture
def recorded(warehouse: BigQueryWarehouse) -> BigQueryWarehouse:
    endpoint = {"api_endpoint": warehouse.client._connection.API_BASE_URL}
    client = RecordingClient("lender", warehouse.client._credentials, client_options=endpoint)
    return replace(warehouse, client=client, maximum_bytes_billed=10**12)


class TestJobs:
    def test_a_job_carries_labels_parameters_and_limits(self, recorded: BigQueryWarehouse) -> None:
        query = Query(f"SELECT customer_id, visits + @more AS visits FROM ({visits(ann=1).sql})", {"more": 4})

        written = recorded.replace_partition(VISITS, PARTITION, query, LABELS)

        job = recorded.client.jobs[0]
        assert job.job_id == written.job_id
        assert written.bytes_processed == job.total_bytes_processed
        assert job.labels == LABELS
        assert job.maximum_bytes_billed == 10**12
        assert job.configuration.job_timeout_ms == "30000"
        assert job.default_dataset.dataset_id == recorded.dataset
        assert {(p.name, p.type_, p.value) for p in job.query_parameters} == {
            ("more", "INT64", 4),
            ("replaced_partition", "DATE", PARTITION),
        }
        assert held(recorded, PARTITION) == {"ann": 5}

    def test_parameters_arrive_with_the_type_of_their_python_value(self, warehouse: BigQueryWarehouse) -> None:
        values = {"a_date": PARTITION, "whole": 7, "real": 0.5, "text": "it's `text`"}

        (batch,) = warehouse.read(Query("SELECT @a_date AS a, @whole AS b, @real AS c, @text AS d", values), LABELS)

        assert batch.to_pylist() == [{"a": PARTITION, "b": 7, "c": 0.5, "d": "it's `text`"}]

    def test_an_estimate_is_a_dry_run(self, recorded: BigQueryWarehouse) -> None:
        recorded.replace_partition(VISITS, PARTITION, visits(ann=1), LABELS)

        estimate = recorded.estimate_bytes(Query("SELECT * FROM visits WHERE partition_date = @day", {"day": EARLIER}))

        job = recorded.client.jobs[-1]
        assert job.dry_run
        assert estimate == job.total_bytes_processed

    @pytest.mark.parametrize(
        ("label", "sent"),
        [
            (("run", "6F1C0B2E-1f5e"), ("run", "6f1c0b2e-1f5e")),
            (("dagster/Asset key", "a/b c"), ("dagster_asset_key", "a_b_c")),
            (("partition", "2024-03-01"), ("partition", "2024-03-01")),
            (("0day", "é" * 70), ("label_0day", "_" * 63)),
            (("k" * 70, ""), ("k" * 63, "")),
        ],
    )
    def test_labels_are_brought_within_bigquerys_rules(self, label: tuple[str, str], sent: tuple[str, str]) -> None:
        assert statements.job_labels(dict([label])) == dict([sent])


class TestReading:
    def test_a_partition_comes_with_the_columns_asked_for_in_their_order(self, warehouse: BigQueryWarehouse) -> None:
        warehouse.replace_partition(VISITS, EARLIER, visits(ann=7), LABELS)
        warehouse.replace_partition(VISITS, PARTITION, visits(ann=1, bob=2), LABELS)

        batches = list(warehouse.read_partition(VISITS, PARTITION, ("visits", "customer_id"), LABELS))

        assert {tuple(batch.schema.names) for batch in batches} == {("visits", "customer_id")}
        assert sum(batch.num_rows for batch in batches) == 2

    def test_a_large_partition_streams_in_batches(self, warehouse: BigQueryWarehouse) -> None:
        many = Query("SELECT CAST(n AS STRING) AS customer_id, n AS visits FROM UNNEST(GENERATE_ARRAY(1, 200000)) AS n")
        warehouse.replace_partition(VISITS, PARTITION, many, LABELS)

        batches = warehouse.read_partition(VISITS, PARTITION, ("visits",), LABELS)

        sizes, total = zip(
            *((batch.num_rows, pc.sum(batch.column("visits")).as_py()) for batch in batches), strict=True
        )
        assert sum(total) == 200_000 * 200_001 // 2
        assert len(sizes) > 1
        assert max(sizes) < 200_000

    def test_a_result_of_several_pages_is_read_whole(self, warehouse: BigQueryWarehouse) -> None:
        many = Query(f"SELECT n FROM UNNEST(GENERATE_ARRAY(1, {2 * RESULT_ROWS + 1})) AS n")

        batches = list(warehouse.read(many, LABELS))

        assert len(batches) == 3
        assert sorted(pa.Table.from_batches(batches).column("n").to_pylist()) == list(range(1, 2 * RESULT_ROWS + 2))

    def test_a_day_never_written_has_no_rows(self, warehouse: BigQueryWarehouse) -> None:
        warehouse.replace_partition(VISITS, PARTITION, visits(ann=1), LABELS)

        assert held(warehouse, EARLIER) == {}

    def test_reading_a_missing_table_names_it(self, warehouse: BigQueryWarehouse) -> None:
        with pytest.raises(RelationMissing, match=r"(?s)visits.*materialise the tables"):
            held(warehouse, PARTITION)


class TestColumns:
    @pytest.mark.parametrize("form", ["{table}", "{dataset}.{table}", "lender.{dataset}.{table}"])
    def test_columns_of_a_table_named_in_any_way(self, form: str, warehouse: BigQueryWarehouse) -> None:
        warehouse.client.query_and_wait(
            f"CREATE TABLE {warehouse.dataset}.own "
            "(a INT64, b FLOAT64, c BOOL, d NUMERIC, e DATETIME, f TIMESTAMP, g ARRAY<STRING>)"
        )

        found = warehouse.columns(form.format(dataset=warehouse.dataset, table="own"))

        types = ["INT64", "FLOAT64", "BOOL", "NUMERIC", "DATETIME", "TIMESTAMP", "ARRAY<STRING>"]
        assert found == dict(zip("abcdefg", types, strict=True))

    @pytest.mark.parametrize(
        ("answered", "canonical"),
        [("INTEGER", "INT64"), ("FLOAT", "FLOAT64"), ("BOOLEAN", "BOOL"), ("BIGNUMERIC", "NUMERIC"), ("DATE", "DATE")],
    )
    def test_the_names_of_legacy_sql_become_those_of_standard_sql(self, answered: str, canonical: str) -> None:
        assert statements.canonical_type(bigquery.SchemaField("column", answered)) == canonical

    @pytest.mark.parametrize("relation", ["purchases", "elsewhere.purchases", "other.elsewhere.purchases"])
    def test_a_missing_relation_is_named_with_the_mend(self, relation: str, warehouse: BigQueryWarehouse) -> None:
        with pytest.raises(RelationMissing, match=r"purchases.*correct BNPL_BIGQUERY_DATASET"):
            warehouse.columns(relation)


class TestLoadingPurchases:
    def test_purchases_arrive_whole_and_a_second_load_adds_nothing(self, warehouse: BigQueryWarehouse) -> None:
        purchases = edge_case_transactions()

        received = [warehouse.upsert_transactions(iter(purchases.to_batches(500)), LABELS) for _ in range(2)]

        assert received == [purchases.num_rows] * 2
        assert by_identity(loaded(warehouse)) == by_identity(purchases)
        assert tables(warehouse) == ["transactions"]
        made = warehouse.client.get_table(f"{warehouse.dataset}.transactions")
        assert (made.time_partitioning.field, made.clustering_fields) == ("transaction_timestamp", ["customer_id"])

    def test_outcomes_that_became_known_take_the_place_of_unknown_ones(self, warehouse: BigQueryWarehouse) -> None:
        purchases = edge_case_transactions()
        outcome = purchases.schema.get_field_index("will_default")
        known = purchases.set_column(outcome, "will_default", pa.array([True] * purchases.num_rows))
        warehouse.upsert_transactions(iter(purchases.to_batches()), LABELS)

        warehouse.upsert_transactions(iter(known.slice(0, 100).to_batches()), LABELS)

        expected = pa.concat_tables([known.slice(0, 100), purchases.slice(100)])
        assert by_identity(loaded(warehouse)) == by_identity(expected)

    def test_a_purchase_given_twice_in_one_load_is_one_row(self, warehouse: BigQueryWarehouse) -> None:
        batch = edge_case_transactions().slice(0, 10).combine_chunks().to_batches()[0]

        received = warehouse.upsert_transactions(iter([batch, batch]), LABELS)

        assert received == 20
        assert loaded(warehouse).num_rows == 10

    def test_amounts_of_another_numeric_type_are_accepted(self, warehouse: BigQueryWarehouse) -> None:
        purchases = edge_case_transactions().slice(0, 10)
        at = purchases.schema.get_field_index("amount")
        decimals = pa.array([12.34] * 10).cast(pa.decimal128(12, 2))

        warehouse.upsert_transactions(iter(purchases.set_column(at, "amount", decimals).to_batches()), LABELS)

        assert loaded(warehouse).column("amount").to_pylist() == [12.34] * 10

    def test_nothing_to_load_touches_nothing(self, warehouse: BigQueryWarehouse) -> None:
        assert warehouse.upsert_transactions(iter([]), LABELS) == 0
        assert tables(warehouse) == []

    def test_a_load_that_fails_leaves_no_staging_table(self, warehouse: BigQueryWarehouse) -> None:
        """A view stands where the table is expected, so the last statement is refused."""
        warehouse.upsert_transactions(iter(edge_case_transactions().to_batches()), LABELS)
        for sql in (
            "CREATE TABLE {0}.kept AS SELECT * FROM {0}.transactions",
            "DROP TABLE {0}.transactions",
            "CREATE VIEW {0}.transactions AS SELECT * FROM {0}.kept",
        ):
            warehouse.client.query_and_wait(sql.format(warehouse.dataset))

        with pytest.raises(QueryFailed):
            warehouse.upsert_transactions(iter(edge_case_transactions().to_batches()), LABELS)

        assert tables(warehouse) == ["kept", "transactions"]


ACTIONS = {
    "columns": lambda warehouse: warehouse.columns("transactions"),
    "replace_partition": lambda warehouse: warehouse.replace_partition(VISITS, PARTITION, visits(ann=1), LABELS),
    "read": lambda warehouse: list(warehouse.read(visits(ann=1), LABELS)),
    "read_partition": lambda warehouse: list(warehouse.read_partition(VISITS, PARTITION, ("visits",), LABELS)),
    "upsert_transactions": lambda warehouse: warehouse.upsert_transactions(
        iter(edge_case_transactions().to_batches()), LABELS
    ),
    "estimate_bytes": lambda warehouse: warehouse.estimate_bytes(visits(ann=1)),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
class TestServersThatDoNotAnswer:
    def test_a_server_that_hangs_is_given_up(self, action: object) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            assert_given_up(action, silent.getsockname()[1])

    def test_a_closed_port_is_given_up(self, action: object) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closing:
            port = closing.getsockname()[1]
        assert_given_up(action, port)


def assert_given_up(action: object, port: int) -> None:
    warehouse = unauthenticated(port, PATIENCE)
    started = time.monotonic()

    with pytest.raises(WarehouseUnavailable, match=r"BigQuery lender.features .*running again is safe"):
        action(warehouse)

    assert time.monotonic() - started < 5 * PATIENCE


REFUSALS = [
    (400, "invalidQuery", "Unrecognized name: amuont", QueryFailed, "Unrecognized name: amuont"),
    (403, "accessDenied", "Access Denied: Table x", QueryFailed, "roles/bigquery.dataEditor"),
    (403, "quotaExceeded", "Quota exceeded", QueryFailed, "wait for the quota"),
    (500, "bytesBilledLimitExceeded", "Query exceeded limit", QueryFailed, "BNPL_BIGQUERY_MAXIMUM_BYTES_BILLED"),
    (404, "notFound", "Not found: Table x", RelationMissing, "Not found: Table x"),
    (401, "authError", "Invalid Credentials", WarehouseUnavailable, "gcloud auth"),
    (400, "invalidQuery", "Could not serialize access to table x", WarehouseUnavailable, "running again is safe"),
]


@pytest.mark.parametrize(("status", "reason", "message", "error", "says"), REFUSALS, ids=[r[1] for r in REFUSALS])
def test_a_refusal_is_not_repeated_and_comes_with_its_mend(
    status: int, reason: str, message: str, error: type[BnplFeaturesError], says: str
) -> None:
    with answering([(status, reason, message)] * 5) as (warehouse, requests), pytest.raises(error, match=says):
        list(warehouse.read(visits(ann=1), LABELS))

    assert len(requests) == 1


@pytest.mark.parametrize(
    ("status", "reason"), [(503, "backendError"), (500, "backendError"), (429, "rateLimitExceeded")]
)
def test_a_transient_error_is_repeated(status: int, reason: str) -> None:
    answers = [(status, reason, "try again"), (404, "notFound", "Not found: Table x")]
    with answering(answers) as (warehouse, requests), pytest.raises(RelationMissing):
        warehouse.columns("x")

    assert len(requests) == 2


def test_a_transient_error_that_lasts_is_given_up() -> None:
    answers = [(503, "backendError", "try again")] * 50
    with answering(answers, PATIENCE) as (warehouse, _), pytest.raises(WarehouseUnavailable, match="try again"):
        warehouse.columns("x")


def test_a_project_is_needed() -> None:
    with pytest.raises(SettingsError, match="BNPL_BIGQUERY_PROJECT"):
        connect("features", api_endpoint="http://127.0.0.1:9050", storage_endpoint="127.0.0.1:9060")


def test_missing_credentials_come_with_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))

    with pytest.raises(WarehouseUnavailable, match="gcloud auth application-default login"):
        connect("features", project="lender")


def test_an_emulator_needs_both_of_its_endpoints() -> None:
    with pytest.raises(SettingsError, match="set both"):
        connect("features", project="lender", api_endpoint="http://127.0.0.1:9050")


def test_a_server_that_falls_silent_after_accepting_a_job_is_given_up() -> None:
    released = threading.Event()

    class Accepts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            respond(self, 200, {**job, "status": {"state": "RUNNING"}})

        def do_GET(self) -> None:
            released.wait(30)

        def log_message(self, *_: object) -> None:
            pass

    with served(Accepts) as port:
        try:
            assert_given_up(ACTIONS["read"], port)
        finally:
            released.set()


@contextmanager
def answering(
    answers: list[tuple[int, str, str]], timeout_seconds: float = 10.0
) -> Iterator[tuple[BigQueryWarehouse, list[str]]]:
    """A warehouse on a server that gives these answers one after the other, and the requests that it received."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, reason, message = answers[len(requests)]
            requests.append(self.path)
            error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
            respond(self, status, {"error": error})

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with served(Handler) as port:
        yield unauthenticated(port, timeout_seconds), requests


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def respond(handler: BaseHTTPRequestHandler, status: int, content: dict[str, object]) -> None:
    body = json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def unauthenticated(port: int, timeout_seconds: float) -> BigQueryWarehouse:
    return connect(
        "features",
        project="lender",
        api_endpoint=f"http://127.0.0.1:{port}",
        storage_endpoint=f"127.0.0.1:{port}",
        timeout_seconds=timeout_seconds,
    )


def frame(batches: Iterator[pa.RecordBatch], by: Sequence[str] = ("customer_id",)) -> pd.DataFrame:
    return pa.Table.from_batches(list(batches)).to_pandas().sort_values(list(by), ignore_index=True)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9, atol=1e-9)


def loaded(warehouse: BigQueryWarehouse) -> pa.Table:
    names = ", ".join(column.name for column in transactions_table().columns)
    return pa.Table.from_batches(list(warehouse.read(Query(f"SELECT {names} FROM transactions"), LABELS)))


def by_identity(purchases: pa.Table) -> list[dict[str, object]]:
    names = [column.name for column in transactions_table().columns]
    return sorted(purchases.select(names).to_pylist(), key=lambda row: tuple(str(row[name]) for name in names[:3]))


def tables(warehouse: BigQueryWarehouse) -> list[str]:
    return sorted(table.table_id for table in warehouse.client.list_tables(warehouse.dataset))
