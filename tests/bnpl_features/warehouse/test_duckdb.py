"""The embedded warehouse on real files: a partition is replaced whole or not at all, whoever reads, dies or loads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from bnpl_features.derive.query import Query, group_query
from bnpl_features.derive.table import group_table
from bnpl_features.errors import (
    QueryFailed,
    RelationMissing,
    SettingsError,
    WarehouseUnavailable,
)
from bnpl_features.features.catalog import group_named
from bnpl_features.warehouse.duckdb import DuckDBWarehouse, canonical_type
from bnpl_features.warehouse.duckdb_statements import BATCH_ROWS
from tests.edge_cases import PARTITION, SCHEMA, buy, row, when

GROUP = group_named("device")
TABLE = group_table(GROUP)
ONE_DAY = timedelta(days=1)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def empty(tmp_path: Path) -> DuckDBWarehouse:
    """A warehouse without tables."""
    (tmp_path / "empty").mkdir()
    return DuckDBWarehouse(tmp_path / "empty", threads=1)


def rows_of(value: int, customers: int = 1_000) -> Query:
    """`customers` rows whose every number is `value`."""
    numbers = ", ".join(f"@value AS {feature.name}" for feature in GROUP.features)
    return Query(
        f"SELECT CONCAT('c', CAST(n AS STRING)) AS customer_id, {numbers} "
        "FROM UNNEST(GENERATE_ARRAY(1, @customers)) AS n",
        {"value": value, "customers": customers},
    )


def endless() -> Query:
    """Rows for minutes, from the first second on."""
    numbers = ", ".join(f"n AS {feature.name}" for feature in GROUP.features)
    return Query(
        f"SELECT CONCAT('c', CAST(n * m AS STRING)) AS customer_id, {numbers} "
        "FROM UNNEST(GENERATE_ARRAY(1, 30000)) AS n CROSS JOIN UNNEST(GENERATE_ARRAY(1, 30000)) AS m",
        {},
    )


def stored(warehouse: DuckDBWarehouse, day: date = PARTITION) -> tuple[int, set[object]]:
    """Rows of the partition, and the values found in them."""
    batches = list(warehouse.read_partition(TABLE, day, ("device_count_30d",), {}))
    values = [value for batch in batches for value in batch.column(0).to_pylist()]
    return len(values), set(values)


def file_of(warehouse: DuckDBWarehouse, folder: Path, day: date = PARTITION) -> Path:
    return folder / TABLE.name / f"partition_date={day}" / "data-00000001.parquet"


def purchases(days: int, customers: int = 3, *, until: date = PARTITION) -> pa.Table:
    rows = []
    for back in range(days):
        story = buy(0)
        for number in range(customers):
            at = when(story, until - back * ONE_DAY)
            rows.append(row(f"c{number}", f"{number}/{back}", at, story))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def count(warehouse: DuckDBWarehouse, relation: str = "transactions") -> int:
    (batch,) = warehouse.read(Query(f"SELECT COUNT(*) AS n FROM {relation}", {}), {})
    return int(batch.column(0)[0].as_py())


# --- replacing a partition --------------------------------------------------------------------------------------------


def test_replacing_a_partition_twice_leaves_the_same_rows(empty: DuckDBWarehouse) -> None:
    first = empty.replace_partition(TABLE, PARTITION, rows_of(7), {})
    again = empty.replace_partition(TABLE, PARTITION, rows_of(7), {})

    assert first.rows == again.rows == 1_000
    assert stored(empty) == (1_000, {7})
    assert count(empty, TABLE.name) == 1_000


def test_replacing_a_partition_leaves_other_days_alone(empty: DuckDBWarehouse) -> None:
    empty.replace_partition(TABLE, PARTITION - ONE_DAY, rows_of(1, customers=10), {})

    empty.replace_partition(TABLE, PARTITION, rows_of(2, customers=20), {})

    assert stored(empty, PARTITION - ONE_DAY) == (10, {1})
    assert stored(empty) == (20, {2})


def test_a_partition_without_rows_is_a_partition(empty: DuckDBWarehouse) -> None:
    written = empty.replace_partition(TABLE, PARTITION, rows_of(1, customers=0), {})

    assert written.rows == 0
    assert stored(empty) == (0, set())


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT customer_id FROM no_such_table", RelationMissing),
        ("SELECT CAST(CONCAT('x', customer_id) AS INT64) AS n FROM feature_device", QueryFailed),
    ],
    ids=["refused when bound", "failed while running"],
)
def test_failing_query_leaves_the_old_partition(
    sql: str, error: type[Exception], empty: DuckDBWarehouse, tmp_path: Path
) -> None:
    empty.replace_partition(TABLE, PARTITION, rows_of(7), {})

    with pytest.raises(error):
        empty.replace_partition(TABLE, PARTITION, Query(sql, {}), {})

    assert stored(empty) == (1_000, {7})
    assert [file.name for file in file_of(empty, tmp_path / "empty").parent.iterdir()] == ["data-00000001.parquet"]


def test_writer_killed_in_the_middle_leaves_the_old_partition_and_no_half_file(
    empty: DuckDBWarehouse, tmp_path: Path
) -> None:
    empty.replace_partition(TABLE, PARTITION, rows_of(7), {})
    partition = file_of(empty, tmp_path / "empty").parent
    # Row groups are flushed as they fill up: the writer is in the middle of its file for many seconds.
    code = f"""
from datetime import date
from bnpl_features.derive.query import Query
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.warehouse import test_duckdb as t
t.DuckDBWarehouse({str(tmp_path / "empty")!r}, threads=1).replace_partition(
    t.TABLE, date({PARTITION.year}, {PARTITION.month}, {PARTITION.day}), t.endless(), {{}})
"""
    writer = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while not any(file.stat().st_size > 4 for file in partition.glob(".*.tmp")):
            assert writer.poll() is None, "the writer ended by itself"
            assert time.monotonic() < deadline, "the writer did not start to write"
            time.sleep(0.01)
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()

    assert list(partition.glob(".*.tmp")), "what it left behind"
    assert stored(empty) == (1_000, {7})
    assert count(empty, TABLE.name) == 1_000
    assert empty.replace_partition(TABLE, PARTITION, rows_of(9), {}).rows == 1_000
    assert stored(empty) == (1_000, {9})


def test_readers_during_a_replacement_see_the_old_partition_or_the_new_never_neither(empty: DuckDBWarehouse) -> None:
    empty.replace_partition(TABLE, PARTITION, rows_of(0, customers=2_000), {})
    ended = threading.Event()
    seen: list[tuple[int, set[object]]] = []
    failures: list[Exception] = []

    values = "MIN(device_count_30d) AS low, MAX(device_count_30d) AS high"
    extremes = Query(f"SELECT COUNT(*) AS n, {values} FROM {TABLE.name}", {})

    def read() -> None:
        while not ended.is_set():
            try:
                seen.append(stored(empty))
                (batch,) = empty.read(extremes, {})
                found = batch.to_pylist()[0]
                seen.append((found["n"], {found["low"], found["high"]}))
            except Exception as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for value in range(1, 31):
        empty.replace_partition(TABLE, PARTITION, rows_of(value, customers=2_000 + value), {})
    ended.set()
    for reader in readers:
        reader.join()

    assert failures == []
    assert len(seen) > 10
    assert all(values == {rows - 2_000} for rows, values in seen)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_columns_have_their_canonical_types(edge_case_warehouse: DuckDBWarehouse) -> None:
    columns = edge_case_warehouse.columns("transactions")

    assert list(columns) == SCHEMA.names
    assert columns["customer_id"] == "STRING"
    assert columns["transaction_timestamp"] == "TIMESTAMP"
    assert columns["amount"] == "FLOAT64"
    assert columns["installment_count"] == "INT64"
    assert columns["will_default"] == "BOOL"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("DECIMAL(18,3)", "NUMERIC"), ("ENUM('a', 'b')", "STRING"), ("TIMESTAMP", "DATETIME"), ("BLOB", "BLOB")],
)
def test_canonical_types_are_those_of_bigquery(theirs: str, ours: str) -> None:
    assert canonical_type(theirs) == ours


def test_missing_folder_names_the_commands_that_make_it(tmp_path: Path) -> None:
    nowhere = DuckDBWarehouse(tmp_path / "nowhere")

    with pytest.raises(WarehouseUnavailable, match=r"nowhere does not exist; run `bnpl-features simulate`.*FOLDER"):
        nowhere.columns("transactions")


def test_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blocked = DuckDBWarehouse(tmp_path / "file")

    with pytest.raises(WarehouseUnavailable, match=r"file cannot be written: .*set BNPL_WAREHOUSE_FOLDER"):
        blocked.upsert_transactions(iter(purchases(1).to_batches()), {})


def test_missing_partition_says_to_materialise_it(empty: DuckDBWarehouse) -> None:
    with pytest.raises(RelationMissing, match=f"feature_device has no partition {PARTITION} .*materialise that"):
        next(empty.read_partition(TABLE, PARTITION, ("customer_id",), {}))


@pytest.mark.parametrize(
    "query",
    [
        Query("SELECT nothing FROM transactions", {}),
        Query("SELECT * FROM no_such_table", {}),
        Query("SELECT * FROM read_parquet('no/such/file.parquet')", {}),
    ],
    ids=["column", "table", "file"],
)
def test_what_is_missing_is_named_with_the_mend(query: Query, edge_case_warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(RelationMissing, match=r"(nothing|no_such_table|no/such/file).*load purchases, materialise"):
        list(edge_case_warehouse.read(query, {}))


@pytest.mark.parametrize("damage", [b"", b"not parquet at all" * 20, None], ids=["empty", "other bytes", "cut short"])
def test_damaged_file_is_named_with_the_mend(damage: bytes | None, empty: DuckDBWarehouse, tmp_path: Path) -> None:
    for back in range(3):
        empty.replace_partition(TABLE, PARTITION - back * ONE_DAY, rows_of(1), {})
    file = file_of(empty, tmp_path / "empty", PARTITION - ONE_DAY)
    file.write_bytes(file.read_bytes()[:-100] if damage is None else damage)

    whole_table = Query(f"SELECT * FROM {TABLE.name}", {})
    for reading in (
        empty.read(whole_table, {}),
        empty.read_partition(TABLE, PARTITION - ONE_DAY, ("customer_id",), {}),
    ):
        with pytest.raises(
            QueryFailed, match=f"{PARTITION - ONE_DAY}/data-00000001.parquet.*; delete the file, then mat"
        ):
            list(reading)


def test_damaged_day_of_purchases_is_named_although_it_is_found_while_streaming(
    empty: DuckDBWarehouse, tmp_path: Path
) -> None:
    empty.upsert_transactions(iter(purchases(3).to_batches()), {})
    day = PARTITION - ONE_DAY
    (tmp_path / "empty" / "transactions" / f"day={day}" / "data-00000001.parquet").write_bytes(b"x" * 400)

    with pytest.raises(QueryFailed, match=f"day={day}/data-00000001.parquet.*load its purchases again"):
        list(empty.read(Query("SELECT customer_id FROM transactions", {}), {}))


def test_damage_in_one_table_does_not_keep_others_from_being_read(empty: DuckDBWarehouse, tmp_path: Path) -> None:
    empty.upsert_transactions(iter(purchases(3).to_batches()), {})
    empty.replace_partition(TABLE, PARTITION, rows_of(1), {})
    file_of(empty, tmp_path / "empty").write_bytes(b"damaged")

    assert count(empty) == 9
    assert empty.replace_partition(TABLE, PARTITION, rows_of(2), {}).rows == 1_000


def test_error_in_the_middle_of_a_stream_is_one_of_the_projects(empty: DuckDBWarehouse) -> None:
    late = Query(
        "SELECT IF(n = 350000, CAST(CONCAT('x', CAST(n AS STRING)) AS INT64), n) AS n "
        "FROM UNNEST(GENERATE_ARRAY(1, 400000)) AS n",
        {},
    )

    with pytest.raises(QueryFailed, match=r"DuckDB refused a statement: .*x350000"):
        list(empty.read(late, {}))


def test_rows_come_in_batches_of_bounded_size(empty: DuckDBWarehouse) -> None:
    numbers = Query("SELECT n FROM UNNEST(GENERATE_ARRAY(1, 250000)) AS n", {})

    sizes = [batch.num_rows for batch in empty.read(numbers, {})]

    assert sum(sizes) == 250_000
    assert max(sizes) <= BATCH_ROWS


def test_folder_may_have_quotes_and_brackets_in_its_name(tmp_path: Path) -> None:
    odd = DuckDBWarehouse(tmp_path / "o'brien [1] *?")

    odd.upsert_transactions(iter(purchases(2).to_batches()), {})
    odd.upsert_transactions(iter(purchases(2).to_batches()), {})
    odd.replace_partition(TABLE, PARTITION, group_query(GROUP, PARTITION), {})

    assert count(odd) == 6
    assert stored(odd) == (3, {1})


def test_a_memory_limit_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"BNPL_WAREHOUSE_MEMORY_LIMIT .*'plenty'; write a number and its unit"):
        DuckDBWarehouse(tmp_path, memory_limit="plenty").columns("transactions")


def test_memory_limit_and_threads_are_obeyed(tmp_path: Path) -> None:
    limited = DuckDBWarehouse(tmp_path, threads=1, memory_limit="100MB")
    asked = "SELECT current_setting('threads') AS threads, current_setting('memory_limit') AS memory"

    (batch,) = limited.read(Query(asked, {}), {})

    assert batch.to_pylist() == [{"threads": 1, "memory": "95.3 MiB"}]


def test_table_written_before_a_feature_was_added_still_reads(empty: DuckDBWarehouse) -> None:
    """As null: that day did not know it."""
    newest = GROUP.features[-1].name
    older = replace(GROUP, features=GROUP.features[:-1])
    empty.upsert_transactions(iter(purchases(2).to_batches()), {})
    empty.replace_partition(group_table(older), PARTITION - ONE_DAY, group_query(older, PARTITION - ONE_DAY), {})
    empty.replace_partition(TABLE, PARTITION, group_query(GROUP, PARTITION), {})

    read = Query(f"SELECT partition_date, {newest} FROM {TABLE.name}", {})
    found = {(r["partition_date"], r[newest]) for batch in empty.read(read, {}) for r in batch.to_pylist()}

    assert newest in empty.columns(TABLE.name)
    assert found == {(PARTITION - ONE_DAY, None), (PARTITION, 1.0)}


# --- partition pruning ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """400 days of three purchases each."""
    filled = DuckDBWarehouse(tmp_path_factory.mktemp("year"), threads=1)
    filled.upsert_transactions(iter(purchases(400).to_batches()), {})
    return filled


@pytest.mark.parametrize(("name", "days"), [("temporal", 30), ("category", 30), ("volume", 365)])
def test_statement_scans_only_the_days_of_its_look_back(name: str, days: int, year: DuckDBWarehouse) -> None:
    """Every day is a row group; DuckDB counts those it scanned, and those that their statistics ruled out."""
    query = group_query(group_named(name), PARTITION)

    scans = sorted(scans_of(year, query))

    assert {in_all for _, in_all in scans} == {400}
    expected = {365} if days == 365 else {days, 365}  # besides the purchases, the customers of the whole history
    assert {scanned for scanned, _ in scans} == expected


def scans_of(warehouse: DuckDBWarehouse, query: Query) -> Iterator[tuple[int, int]]:
    """(row groups scanned, row groups in the table) of each scan of the statement."""
    from bnpl_features.warehouse.duckdb_statements import translated

    sql = translated(query.sql)
    with warehouse._connection(sql) as connection:
        connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {sql}", dict(query.parameters))
        plan = json.loads(connection.fetchall()[0][1])
    pending = list(plan["operator"])
    while pending:
        operator = pending.pop()
        pending += operator.get("children", [])
        if operator["type"] == "TABLE_SCAN":
            yield operator["row_groups_scanned"], operator["total_row_groups_to_scan"]


# --- purchases --------------------------------------------------------------------------------------------------------


def test_loading_purchases_twice_changes_nothing(empty: DuckDBWarehouse) -> None:
    table = purchases(20, customers=20)

    received = [empty.upsert_transactions(iter(table.to_batches()), {}) for _ in range(2)]

    assert received == [table.num_rows, table.num_rows]
    assert count(empty) == table.num_rows


def test_a_purchase_of_the_same_identity_is_replaced(empty: DuckDBWarehouse) -> None:
    before = purchases(1, customers=2)
    later = before.set_column(before.schema.get_field_index("amount"), "amount", pa.array([1.0, 2.0]))
    empty.upsert_transactions(iter(before.to_batches()), {})

    empty.upsert_transactions(iter(later.to_batches()), {})

    (batch,) = empty.read(Query("SELECT amount FROM transactions ORDER BY amount", {}), {})
    assert batch.column(0).to_pylist() == [1.0, 2.0]


def test_no_purchases_are_no_error(empty: DuckDBWarehouse) -> None:
    assert empty.upsert_transactions(iter([]), {}) == 0


def test_stream_that_breaks_off_leaves_the_purchases_as_they_were(empty: DuckDBWarehouse, tmp_path: Path) -> None:
    empty.upsert_transactions(iter(purchases(2).to_batches()), {})

    def breaking_off() -> Iterator[pa.RecordBatch]:
        yield from purchases(2, customers=9).to_batches()
        raise OSError("the disk is gone")

    with pytest.raises(Exception, match="the disk is gone"):
        empty.upsert_transactions(breaking_off(), {})

    assert count(empty) == 6
    assert [path.name for path in (tmp_path / "empty").glob(".load-*")] == []


def test_two_loaders_at_once_lose_nothing(tmp_path: Path) -> None:
    """Both merge into the same days, in processes of their own."""
    folder = tmp_path / "shared"
    code = """
import sys
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.warehouse import test_duckdb as t
start, folder = int(sys.argv[1]), sys.argv[2]
table = t.purchases(10, customers=200)
half = table.take(list(range(start, table.num_rows, 2)))
for batch in half.to_batches(max_chunksize=250):
    DuckDBWarehouse(folder, threads=1).upsert_transactions(iter([batch]), {})
"""
    loaders = [
        subprocess.Popen([sys.executable, "-c", code, str(start), str(folder)], cwd=ROOT, stderr=subprocess.PIPE)
        for start in (0, 1)
    ]
    errors = [loader.communicate(timeout=60)[1] for loader in loaders]

    assert [loader.returncode for loader in loaders] == [0, 0], errors
    assert count(DuckDBWarehouse(folder)) == 2_000
