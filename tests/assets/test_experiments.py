"""Predictions into the warehouse and the running experiment's report, as Dagster runs them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from assets.experiments import experiment_report, predictions
from bnpl_features.derive.query import Query
from bnpl_features.scoring.experiments.definition import Arm, Request, start
from bnpl_features.scoring.experiments.shelf import FileShelf, change, read_definitions
from bnpl_features.scoring.predictions import PredictionLog
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource
from tests.bnpl_features.monitoring.test_telling import samples
from tests.bnpl_features.scoring.test_predictions import DAY, record


@pytest.fixture
def lender_folder(tmp_path: Path, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse with purchases, 500 predictions of a lopsided experiment, and its definition in a file."""
    log = PredictionLog(tmp_path / "log")
    for number in range(500):
        arm = "new" if number % 10 else "champion"
        log.append(record(number, experiment="trial", arm=arm))
    log.close()
    shelf = FileShelf(tmp_path / "experiments.json")
    request = Request("trial", ((Arm("champion"), 0.5), (Arm("new", "behavioural", 2), 0.5)))
    began = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()
    change(
        shelf,
        lambda found: start(found, request, salt="s", now=began, actor="tester", reason="test"),
        act="start",
        actor="tester",
        reason="test",
    )
    monkeypatch.setenv("BNPL_WAREHOUSE_FOLDER", str(tmp_path / "warehouse"))
    monkeypatch.setenv("BNPL_SCORING_PREDICTIONS_FOLDER", str(tmp_path / "log"))
    monkeypatch.setenv("BNPL_SCORING_EXPERIMENTS_FILE", str(tmp_path / "experiments.json"))
    return tmp_path


def materialized(asset: dg.AssetsDefinition, partition: str | None = None) -> dict[str, object]:
    settings = SettingsResource()
    resources = {"settings": settings, "warehouse": WarehouseResource(settings=settings)}
    result = dg.materialize([asset], partition_key=partition, resources=resources)
    (event,) = result.get_asset_materialization_events()
    return {name: entry.value for name, entry in event.materialization.metadata.items()}


def test_a_day_of_predictions_is_loaded_and_a_rerun_replaces_it(
    lender_folder: Path, warehouse: DuckDBWarehouse
) -> None:
    first, again = (materialized(predictions, str(DAY)) for _ in range(2))

    assert first["dagster/partition_row_count"] == again["dagster/partition_row_count"] == 500
    (batch,) = warehouse.read(Query("SELECT COUNT(*) AS n FROM predictions"), {})
    assert batch.to_pylist() == [{"n": 500}]


def test_experiment_whose_split_is_wrong_is_stopped_and_says_so(
    lender_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BNPL_CONSOLE_PUBLIC_URL", "https://console.lender.example/")
    materialized(predictions, str(DAY))

    metadata = materialized(experiment_report)

    assert "split of customers" in str(metadata["stopped_because"])
    assert metadata["console"] == "https://console.lender.example/experiments"
    stopped = read_definitions(FileShelf(lender_folder / "experiments.json"))
    assert stopped.running is None
    assert "split" in stopped.named("trial").stopped_because


def test_without_an_experiment_there_is_nothing_to_report(lender_folder: Path) -> None:
    (lender_folder / "experiments.json").unlink()

    assert materialized(experiment_report)["running"] == "none"


def test_prometheus_is_told_of_touched_guardrails_until_there_is_no_experiment(
    lender_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BNPL_TEXTFILE_FOLDER", str(lender_folder / "told"))
    materialized(predictions, str(DAY))
    found = []
    for _ in range(2):  # the first report stops the experiment, so that the second has none
        materialized(experiment_report)
        found.append(samples((lender_folder / "told" / "bnpl_experiment.prom").read_text()))

    assert found[0]["bnpl_experiment_guardrails_touched trial"] == 1
    assert found[0]["bnpl_experiment_customers new trial"] > found[0]["bnpl_experiment_customers champion trial"]
    assert found[0]["bnpl_experiment_approval_rate new trial"] == 0  # all were for review
    assert list(found[1]) == ["bnpl_experiment_report_timestamp_seconds"]
