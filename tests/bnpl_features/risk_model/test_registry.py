"""Versions and aliases in a real MLflow, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bnpl_features.derive.layout import layout_of
from bnpl_features.errors import ModelMissing, RegistryUnavailable
from bnpl_features.features.catalog import BEHAVIOURAL as SET
from bnpl_features.risk_model.evaluation import Evaluation, evaluate
from bnpl_features.risk_model.registry import (
    CHALLENGER,
    Registry,
    load_model,
    open_registry,
    register,
    version_of,
    versions,
    without_password,
)
from bnpl_features.risk_model.training import BEHAVIOURAL, TRANSACTION_ONLY
from tests.lender import Lender
from tests.postgres import postgres


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return open_registry("", tmp_path_factory.mktemp("registry"))


def test_a_registered_model_is_the_challenger_and_loads_as_it_was(lender: Lender, registry: Registry) -> None:
    model = lender.models[BEHAVIOURAL]
    evaluation = evaluate([model], lender.training, resamples=0)

    first = register(registry, model, evaluation, actor="ann")
    second = register(registry, model, evaluation, actor="bob")

    loaded = load_model(registry, BEHAVIOURAL, CHALLENGER)
    assert (first.number, second.number) == (1, 2)
    assert [(v.number, v.aliases) for v in versions(registry, BEHAVIOURAL)] == [(2, (CHALLENGER,)), (1, ())]
    assert loaded.version == 2
    assert loaded.fingerprint == model.fingerprint
    assert load_model(registry, BEHAVIOURAL, "1").version == 1


def test_a_version_says_what_it_was_trained_on_and_what_it_takes(lender: Lender, registry: Registry) -> None:
    version = register(registry, lender.models[BEHAVIOURAL], evaluate([lender.models[BEHAVIOURAL]], lender.training))

    assert version.tags["layout"] == layout_of(SET).fingerprint
    assert version.tags["feature_set"] == SET.name
    assert version.tags["training_set"] == lender.training.fingerprint
    files = Path(version.source.removeprefix("file://"))
    described = (files / "MLmodel").read_text()
    assert "missed_payments_90d" in described
    assert "probability_of_default" in described
    kept = Evaluation.from_json(json.loads((files / "evaluation.json").read_text()))
    assert kept.training_set == lender.training.fingerprint
    run = registry.client.search_runs([registry.client.get_experiment_by_name("bnpl_training").experiment_id])[0]
    assert run.data.metrics["roc_auc"] > 0.5


def test_what_does_not_exist_is_named(registry: Registry) -> None:
    with pytest.raises(ModelMissing, match=r"transaction_only has no champion .*versions: none"):
        load_model(registry, TRANSACTION_ONLY)
    assert versions(registry, TRANSACTION_ONLY) == []


def test_two_environments_share_a_registry_apart(lender: Lender, tmp_path: Path) -> None:
    one, other = (open_registry("", tmp_path, prefix) for prefix in ("one", "other"))

    register(one, lender.models[TRANSACTION_ONLY])

    assert version_of(one, TRANSACTION_ONLY, CHALLENGER).number == 1
    assert versions(other, TRANSACTION_ONLY) == []


def test_a_database_is_enough_where_all_machines_see_one_folder(
    lender: Lender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database holds versions and aliases, the folder their files; nothing lands in a working folder."""
    trainer, service, shared = (tmp_path / name for name in ("trainer", "service", "shared"))
    trainer.mkdir()
    service.mkdir()
    model = lender.models[TRANSACTION_ONLY]
    with postgres("mlflow") as urls:
        monkeypatch.chdir(trainer)
        register(open_registry(urls["mlflow"], shared), model)
        monkeypatch.chdir(service)

        read = load_model(open_registry(urls["mlflow"], shared), TRANSACTION_ONLY, CHALLENGER)

    assert read.fingerprint == model.fingerprint
    assert [*trainer.iterdir(), *service.iterdir()] == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "sqlite:////proc/nowhere.db", "nonsense://x", "postgresql+psycopg2://a:b@127.0.0.1:1/x"],
)
def test_a_registry_that_does_not_answer_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(RegistryUnavailable, match="BNPL_MODEL_REGISTRY_URL"):
        open_registry(url, tmp_path)


def test_a_password_is_not_shown() -> None:
    assert without_password("postgresql://ann:hunter2@db/mlflow") == "postgresql://...@db/mlflow"
    assert without_password("sqlite:///registry.db") == "sqlite:///registry.db"
