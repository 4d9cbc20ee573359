"""A retraining on the small lender: what is compared with what, what is tried, what is promoted and only where told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.retraining import REASON_TAG, retraining_assets
from assets.training import training_assets
from automation.jobs import RETRAINING_JOB, TRAINING_JOB
from bnpl_features.connect.data import open_target
from bnpl_features.retraining.trial import ACTOR
from bnpl_features.risk_model.promotion import promote, promotions
from bnpl_features.risk_model.registry import CHAMPION, Registry, open_registry, register, version_of
from bnpl_features.risk_model.training import MODEL_NAMES
from bnpl_features.scoring.experiments.definition import Definitions
from bnpl_features.scoring.experiments.shelf import FileShelf, read_definitions
from bnpl_features.settings import load_settings
from bnpl_features.store.audit import find_acts
from definitions import defs
from resources.settings import SettingsResource
from resources.store import StoreResource
from resources.warehouse import WarehouseResource
from tests.assets.test_training import metadata
from tests.code_location import why
from tests.lender import AS_OF, Lender

REASON = "3 of the newest 5 partitions ask for retraining, to 2026-03-10: drift of amount_mean_30d"


def run(lender: Lender, folder: Path, selection: list[Any], **changes: str) -> dg.ExecuteInProcessResult:
    variables = {
        "BNPL_MODEL_FOLDER": str(folder / "models"),
        "BNPL_SCORING_EXPERIMENTS_FILE": str(folder / "experiments.json"),
        "BNPL_STORE_FOLDER": str(folder / "store"),
        **changes,
    }
    settings = SettingsResource(overrides=lender.variables | variables)
    trains = selection == training_assets
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        result = dg.materialize(
            [dg.AssetSpec("transactions"), dg.AssetSpec("feature_vectors"), *training_assets, *retraining_assets],
            selection=selection,
            instance=instance,
            resources={
                "settings": settings,
                "warehouse": WarehouseResource(settings=settings),
                "store": StoreResource(settings=settings),
            },
            run_config={"ops": {"training_set": {"config": {"as_of": AS_OF.isoformat()}}} if trains else {}},
            tags={REASON_TAG: REASON},
            raise_on_error=False,
        )
    assert result.success, why(result)
    return result


@pytest.fixture(scope="module")
def trained(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Champions, and challengers that were trained after them; to copy."""
    folder = tmp_path_factory.mktemp("trained")
    registry = registry_of(folder)
    for name, model in lender.models.items():
        register(registry, model, actor="tester")
        promote(registry, name, lender.training, actor="tester", reason="first", force=True, resamples=10)
    run(lender, folder, training_assets)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path


def registry_of(folder: Path) -> Registry:
    return open_registry("", folder / "models")


def definitions(folder: Path) -> Definitions:
    return read_definitions(FileShelf(folder / "experiments.json"))


def test_by_default_the_challenger_is_compared_and_becomes_a_shadow(lender: Lender, folder: Path) -> None:
    result = run(lender, folder, retraining_assets)

    compared, tried = metadata(result, "champion_comparison"), metadata(result, "challenger_trial")
    assert compared["behavioural_compared"] == "behavioural 2 beside champion 1"
    assert compared["behavioural_may_be_promoted"] is True
    assert compared["behavioural_objections"] == []
    assert "| roc_auc |" in compared["behavioural_findings"]
    running = definitions(folder).running
    assert running is not None
    assert (running.name, running.actor, running.reason) == ("behavioural-v2", ACTOR, REASON)
    assert [(arm.model, arm.version, arm.is_shadow) for arm in running.arms] == [("behavioural", 2, True)]
    assert (tried["trial"], tried["promoted"]) == ("shadow: as configured: shadow", "none")
    assert version_of(registry_of(folder), "behavioural", CHAMPION).number == 1


def test_where_it_is_configured_the_gate_promotes_and_keeps_the_reason(lender: Lender, folder: Path) -> None:
    result = run(lender, folder, retraining_assets, BNPL_RETRAINING_AUTO_PROMOTE="true")

    shown, registry = metadata(result, "challenger_trial"), registry_of(folder)
    assert shown["promoted"] == dict.fromkeys(MODEL_NAMES, 2)
    assert shown["trial"] == "none: behavioural 2 is the champion"
    assert version_of(registry, "behavioural", CHAMPION).number == 2
    assert (promotions(registry)[0]["actor"], promotions(registry)[0]["reason"]) == (ACTOR, REASON)
    assert definitions(folder) == Definitions()
    store = load_settings({"BNPL_STORE_FOLDER": str(folder / "store")}).store
    with open_target(store) as target:
        acts = [(act.act, act.actor) for act in find_acts(target.client, target.keyspace).entries]
    assert sorted(acts) == sorted((f"promote {name} 2", ACTOR) for name in MODEL_NAMES)


def test_without_a_champion_the_rules_are_compared_with_and_nothing_is_tried(lender: Lender, folder: Path) -> None:
    registry = registry_of(folder)
    registry.client.delete_registered_model_alias(registry.registered_name("behavioural"), CHAMPION)

    result = run(lender, folder, retraining_assets)

    compared = metadata(result, "champion_comparison")
    assert compared["behavioural_compared"] == "behavioural 2 beside the rules: there is no champion"
    assert "no champion to be tried beside" in metadata(result, "challenger_trial")["trial"]
    assert definitions(folder) == Definitions()


def test_the_retraining_job_is_the_training_job_and_what_becomes_of_it() -> None:
    retraining, training = (
        {key.to_user_string() for key in defs.resolve_job_def(name).asset_layer.selected_asset_keys}
        for name in (RETRAINING_JOB, TRAINING_JOB)
    )

    assert retraining == training | {asset.key.to_user_string() for asset in retraining_assets}
