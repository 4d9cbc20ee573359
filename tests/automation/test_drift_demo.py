"""The demonstration of drift keeps to its own folder; what it shows is proven in tests/drills/test_retraining.py."""

import os
from pathlib import Path

import pytest

from automation.drift_demo import configure
from bnpl_features.settings import load_settings


def test_a_demonstration_never_works_on_the_stores_of_its_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ})
    production = {
        "REDIS_URL": "redis://production:6379",
        "BNPL_WAREHOUSE": "bigquery",
        "BNPL_MODEL_REGISTRY_URL": "https://mlflow.test",
        "BNPL_SETTINGS": "production.toml",
        "BNPL_COLUMN_AMOUNT": "total",
    }
    os.environ.update(production)

    configure(tmp_path / "demo")

    settings = load_settings()
    assert (settings.store.url, settings.warehouse.engine, settings.model.registry_url) == ("", "duckdb", "")
    assert settings.source.columns == {}
    folders = (settings.warehouse.folder, settings.store.folder, settings.model.folder)
    assert {folder.parent for folder in folders} == {tmp_path / "demo"}


def test_a_folder_of_something_else_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()

    with pytest.raises(SystemExit, match="holds something else"):
        configure(tmp_path)

    assert (tmp_path / "precious").exists()
