"""A real registry, the process that fetches from it, and the service that scores with what it fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.errors import ModelMissing
from bnpl_features.risk_model.registry import CHAMPION, Registry, open_registry, register
from bnpl_features.scoring.fetching import fetch
from bnpl_features.scoring.served import read_active, watch_models, write_wanted
from tests.bnpl_features.scoring.checkout import model
from tests.bnpl_features.scoring.counter import running
from tests.bnpl_features.store.shop import Shop, wait_until


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two versions of the behavioural model, the first of which is champion, and a transaction_only champion."""
    opened = open_registry("", tmp_path / "registry")
    for one in (model(version=1), model(version=2), model("transaction_only")):
        register(opened, one)
    promote(opened, "behavioural", 1)
    promote(opened, "transaction_only", 1)
    return opened


def promote(registry: Registry, name: str, version: int) -> None:
    """Past the gate, which has tests of its own."""
    registry.client.set_registered_model_alias(registry.registered_name(name), CHAMPION, str(version))


def test_champions_and_versions_that_experiments_want_are_fetched(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    write_wanted(folder, {("behavioural", 2)})

    fetch(registry, folder)

    models = watch_models(folder)()
    assert models is not None
    assert {name: one.version for name, one in models.champions.items()} == {"behavioural": 1, "transaction_only": 1}
    assert models.versions["behavioural", 2].fingerprint == model(version=2).fingerprint


def test_nothing_new_is_nothing_to_do_and_what_is_not_served_is_removed(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    fetch(registry, folder)
    look = watch_models(folder)
    look()
    fetch(registry, folder)
    assert look() is None

    promote(registry, "behavioural", 2)
    fetch(registry, folder)

    changed = look()
    assert changed is not None
    assert changed.champions["behavioural"].version == 2
    assert not (folder / "behavioural-1").exists()


def test_folder_without_models_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="bnpl-features models"):
        read_active(tmp_path)


def test_promotion_reaches_the_running_service(registry: Registry, shop: Shop, folder: Path) -> None:
    settings = {"registry_folder": registry.folder, "registry_seconds": 0.2}
    with running(folder, shop.url, shop.namespace, models=(), **settings) as counter:
        wait_until(lambda: counter.ask("/readyz").status == 200, "the champion was fetched", 30.0)
        first = counter.score()["model_version"]
        promote(registry, "behavioural", 2)
        wait_until(lambda: counter.score()["model_version"] == 2, "the promotion is picked up", 20.0)

    assert first == 1
