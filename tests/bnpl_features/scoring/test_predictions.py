"""The log of predictions: bounded, on disk, by the day of its own clock; and as a table of the warehouse."""

from __future__ import annotations

import shutil
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bnpl_features.derive.query import Query
from bnpl_features.scoring.prediction_table import Segments, predictions_table
from bnpl_features.scoring.predictions import PredictionLog, Record
from bnpl_features.warehouse.bigquery import connect
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.warehouse import Warehouse
from tests.emulator import Emulator

DAY = date(2026, 11, 24)


def record(number: int = 0, day: date = DAY, **changes: object) -> Record:
    given: dict[str, object] = {
        "predicted_at": datetime(day.year, day.month, day.day, 12, 0, number % 60, tzinfo=UTC),
        "request_id": f"r{number}",
        "transaction_id": f"t{number}",
        "transaction_timestamp": datetime(day.year, day.month, day.day, 11, tzinfo=UTC),
        "customer_digest": f"{number:016x}",
        "experiment": None,
        "arm": "champion",
        "is_shadow": False,
        "model": "behavioural",
        "model_version": 3,
        "probability": 0.125,
        "decision": "review",
        "reasons": "R01 R04",
        "feature_status": "fresh",
        "feature_version": 7,
        "feature_partition": date(2026, 11, 23),
        "fallback": None,
    }
    return Record(**(given | changes))  # type: ignore[arg-type]


def rows_of(folder: Path, day: date = DAY) -> list[dict[str, object]]:
    return [row for batch in Segments(folder, day).batches() for row in batch.to_pylist()]


def test_what_is_logged_is_read_back_as_it_was(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    for number in range(1_000):
        log.append(record(number))
    log.close()

    rows = rows_of(tmp_path)
    assert [row["request_id"] for row in rows] == [f"r{number}" for number in range(1_000)]
    assert rows[0]["predicted_at"] == record(0).predicted_at
    assert (log.written, log.dropped) == (1_000, 0)


def test_full_queue_drops_and_counts(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, most_queued=10, flush_seconds=60.0)
    for number in range(25):
        log.append(record(number))
    log.close()

    assert (log.written, log.dropped) == (10, 15)


def test_clock_that_jumps_puts_each_record_into_its_own_day(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    days = [DAY, date(2031, 1, 1), date(1999, 12, 31), DAY]
    for number, day in enumerate(days):
        log.append(record(number, day))
    log.close()

    assert [len(rows_of(tmp_path, day)) for day in sorted(set(days))] == [1, 2, 1]


def test_folder_that_cannot_be_written_keeps_the_records_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("in the way")
    log = PredictionLog(tmp_path / "log", flush_seconds=0.01)
    log.append(record())
    threading.Event().wait(0.1)
    assert log.queued == 1
    (tmp_path / "log").unlink()
    log.close()

    assert (log.written, log.dropped) == (1, 0)


def test_line_that_a_killed_process_left_is_counted_and_no_other_lost(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    log.append(record())
    log.close()
    (closed,) = Segments(tmp_path, DAY).files
    closed.rename(closed.with_name("other.ndjson.part")).open("ab").write(b'{"predicted_at":"2026-')
    segments = Segments(tmp_path, DAY)

    assert [row["request_id"] for batch in segments.batches() for row in batch.to_pylist()] == ["r0"]
    assert segments.torn == 1


@pytest.fixture
def embedded(tmp_path: Path) -> DuckDBWarehouse:
    (tmp_path / "warehouse").mkdir()
    return DuckDBWarehouse(tmp_path / "warehouse")


@pytest.fixture
def emulated(running_emulator: Emulator) -> Warehouse:
    warehouse = connect(
        "predictions_test",
        project="test-project",
        api_endpoint=running_emulator.api_endpoint,
        storage_endpoint=running_emulator.storage_endpoint,
    )
    warehouse.client.create_dataset("predictions_test", exists_ok=True)
    return warehouse


@pytest.mark.parametrize("engine", ["embedded", "emulated"])
def test_loading_a_day_again_replaces_it(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    warehouse: Warehouse = request.getfixturevalue(engine)
    log = PredictionLog(tmp_path / "log")
    for number in range(5):
        log.append(record(number))
    log.append(record(9, date(2026, 11, 25), experiment="trial", probability=None, model=None))
    log.close()
    table = predictions_table()
    for day in (DAY, date(2026, 11, 25), DAY):
        warehouse.replace_partition_rows(table, day, Segments(tmp_path / "log", day).batches(), {})
    shutil.rmtree(tmp_path / "log")

    sql = "SELECT partition_date, COUNT(*) AS n, COUNT(experiment) AS e, COUNT(probability) AS p FROM predictions"
    found = warehouse.read(Query(sql + " GROUP BY partition_date ORDER BY partition_date"), {})
    rows = [tuple(row.values())[1:] for batch in found for row in batch.to_pylist()]
    assert rows == [(5, 0, 5), (1, 1, 0)]
