"""A day's matured performance, as Dagster runs it: what is measured of which champion, and what the check says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.performance import DEGRADED, model_performance
from bnpl_features.risk_model.promotion import promote
from bnpl_features.risk_model.registry import evaluation_of, open_registry, register
from bnpl_features.scoring.prediction_table import predictions_table
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource
from tests.bnpl_features.scoring.test_performance import AS_OF, DAYS, MATURITY_DAYS, fill
from tests.lender import Lender


def measured(folder: Path, **changes: str) -> tuple[dg.AssetCheckEvaluation, dict[str, Any]]:
    variables = {
        "BNPL_WAREHOUSE_FOLDER": str(folder / "warehouse"),
        "BNPL_MODEL_FOLDER": str(folder / "models"),
        "BNPL_MODEL_MATURITY_DAYS": str(MATURITY_DAYS),
        "BNPL_MODEL_RESAMPLES": "20",
        "BNPL_RETRAINING_PERFORMANCE_DAYS": str(DAYS),
        **changes,
    }
    settings = SettingsResource(overrides=variables)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [dg.AssetSpec("transactions"), dg.AssetSpec("predictions"), model_performance],
            instance=instance,
            partition_key=AS_OF.isoformat(),
            resources={"settings": settings, "warehouse": WarehouseResource(settings=settings)},
        )
    [evaluation] = result.get_asset_check_evaluations()
    [event] = result.get_asset_materialization_events()
    return evaluation, {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.fixture
def folder(lender: Lender, tmp_path: Path) -> Path:
    """Version 3 of the behavioural model is the champion; of its predictions 1.6 times as many defaulted as it said."""
    (tmp_path / "warehouse").mkdir()
    fill(DuckDBWarehouse(tmp_path / "warehouse", threads=1), hazard=1.6)
    registry = open_registry("", tmp_path / "models")
    for _ in range(3):
        third = register(registry, lender.models["behavioural"], actor="tester")
    promote(registry, "behavioural", lender.training, actor="tester", reason="first", force=True, resamples=0)
    assert evaluation_of(registry, third) is None  # it was registered without one
    return tmp_path


def test_a_champion_that_promised_fewer_defaults_asks_for_retraining(folder: Path) -> None:
    evaluation, metadata = measured(folder)

    assert (evaluation.check_name, evaluation.passed, evaluation.severity) == (
        DEGRADED,
        False,
        dg.AssetCheckSeverity.WARN,
    )
    assert evaluation.partition == AS_OF.isoformat()
    assert evaluation.metadata["retraining_asked"].value is True
    [finding] = evaluation.metadata["degraded"].value
    assert finding.startswith("behavioural 3: 1.")
    assert "| behavioural | 4 | shadow |" in metadata["figures"]


def test_what_still_counts_is_configured(folder: Path) -> None:
    evaluation, _ = measured(folder, BNPL_RETRAINING_CALIBRATION_RATIO="2")

    assert evaluation.passed
    assert evaluation.metadata["retraining_asked"].value is False
    assert evaluation.description == (
        "transaction_only has no champion; behavioural 3 is as good as it was; velocity has no champion"
    )


def test_too_few_outcomes_say_nothing(folder: Path) -> None:
    evaluation, _ = measured(folder, BNPL_RETRAINING_LEAST_DEFAULTS="100000")

    assert evaluation.passed
    assert "mature defaults, 100000 are needed" in evaluation.description


def test_a_champion_without_predictions_is_not_judged_by_those_of_others(folder: Path) -> None:
    warehouse = DuckDBWarehouse(folder / "warehouse", threads=1)
    for back in range(DAYS):
        day = AS_OF.fromordinal(AS_OF.toordinal() - MATURITY_DAYS - back)
        warehouse.replace_partition_rows(predictions_table(), day, iter([]), {})

    evaluation, metadata = measured(folder)

    assert evaluation.passed
    assert "behavioural 3: 0 mature defaults" in evaluation.description
    assert metadata["versions"] == 0
