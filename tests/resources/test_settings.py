"""Overrides reach every resource of a run, and nothing is opened before a step needs it."""

from pathlib import Path

import dagster as dg
import pytest

from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource
from tests.code_location import DAY, CodeLocation, job_of, why


def test_overrides_of_a_run_reach_the_resources_that_use_the_settings(location: CodeLocation, tmp_path: Path) -> None:
    moved = (location.folder / "warehouse").rename(tmp_path / "moved")

    result = location.having(BNPL_WAREHOUSE_FOLDER=str(moved)).run_check("feature_volume", "schema")

    assert result.success, why(result)


def test_environment_is_used_where_nothing_is_overridden(
    location: CodeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in location.variables.items():
        monkeypatch.setenv(name, value)

    volume = job_of("daily_features").get_subset(asset_selection={dg.AssetKey("feature_volume")})
    result = volume.execute_in_process(instance=location.instance, partition_key=DAY.isoformat(), raise_on_error=False)

    assert result.success, why(result)


def test_override_takes_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_DRIFT_WARN", "0.2")

    assert SettingsResource().load().checks.drift_warn == 0.2
    assert SettingsResource(overrides={"BNPL_DRIFT_WARN": "0.15"}).load().checks.drift_warn == 0.15


def test_warehouse_resource_hands_out_the_embedded_engine(tmp_path: Path) -> None:
    settings = SettingsResource(overrides={"BNPL_WAREHOUSE_FOLDER": str(tmp_path)})

    with WarehouseResource(settings=settings).open() as engine:
        assert engine.name == f"DuckDB in {tmp_path}"
