"""A registry's database of an earlier schema is migrated by nobody who only opens it."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from bnpl_features.errors import RegistryUnavailable
from bnpl_features.risk_model import registry_schema
from bnpl_features.risk_model.registry import open_registry
from tests.postgres import PASSWORD, postgres, rows


def alembic(url: str) -> Config:
    """MLflow's own migrations on a database."""
    import mlflow

    config = Config()
    config.set_main_option("script_location", str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def test_one_revision_back_it_is_refused_and_left_as_it_is_until_somebody_migrates_it(tmp_path: Path) -> None:
    with postgres("mlflow") as urls:
        url = urls["mlflow"]
        open_registry(url, tmp_path)
        head = rows(url, "SELECT version_num FROM alembic_version")
        command.downgrade(alembic(url), "-1")
        before = rows(url, "SELECT version_num FROM alembic_version")
        registry_schema.require_present_schema.cache_clear()  # another process, a release later

        with pytest.raises(RegistryUnavailable, match="mlflow db upgrade") as refused:
            open_registry(url, tmp_path)

        assert rows(url, "SELECT version_num FROM alembic_version") == before != head
        assert PASSWORD not in str(refused.value)
        command.upgrade(alembic(url), "head")
        open_registry(url, tmp_path)
        assert rows(url, "SELECT version_num FROM alembic_version") == head


def test_one_of_a_later_release_is_not_called_old(tmp_path: Path) -> None:
    with postgres("mlflow") as urls:
        url = urls["mlflow"]
        open_registry(url, tmp_path)
        head = ScriptDirectory.from_config(alembic(url)).get_current_head()
        rows(url, "UPDATE alembic_version SET version_num = 'of a later one' RETURNING version_num")
        registry_schema.require_present_schema.cache_clear()

        open_registry(url, tmp_path)

        assert rows(url, "SELECT version_num FROM alembic_version") != [(head,)]
