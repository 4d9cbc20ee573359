"""The service reads the feature set that a model was trained on: a promotion moves model and features together."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bnpl_features.derive.layout import Layout
from bnpl_features.scoring.experiments.definition import Arm, Request, start
from bnpl_features.scoring.experiments.shelf import StoreShelf, change
from bnpl_features.scoring.models import BEHAVIOURAL, TRANSACTION_ONLY
from bnpl_features.scoring.served import activate, put
from bnpl_features.store.keyspace import FIRST_SET
from tests.bnpl_features.scoring.checkout import LAYOUT, body, model
from tests.bnpl_features.scoring.conftest import YESTERDAY
from tests.bnpl_features.scoring.counter import Counter, running
from tests.bnpl_features.store.shop import Shop, wait_until

NEWER = Layout("behavioural@2", tuple(one for one in LAYOUT.fields if one.name != "night_share_30d"))
OF_FIRST, OF_NEWER = model(version=1), model(version=2, layout=NEWER)


def serve(folder: Path, *models: Any) -> None:
    """The first is champion; the others are at hand."""
    spare = model(TRANSACTION_ONLY)
    for one in (*models, spare):
        put(folder, one)
    activate(folder, [models[0], spare], models[1:])


def start_experiment(shop: Shop, request: Request) -> None:
    shelf = StoreShelf(shop.client, shop.keyspace)
    change(
        shelf,
        lambda now: start(now, request, salt="s", now=0.0, actor="tester", reason="drill"),
        act="start",
        actor="tester",
        reason="drill",
    )


def seen(counter: Counter, **changes: Any) -> tuple[Any, ...]:
    found = counter.score(**changes)
    return found["model_version"], found["feature_set"], found["feature_version"], found["fallback"]


def test_a_model_scores_on_bit_for_bit_while_another_set_rolls_out_and_moves_when_it_is_promoted(
    shop: Shop, folder: Path
) -> None:
    serve(folder / "served", OF_FIRST)
    with running(folder, shop.url, shop.namespace, models=()) as counter:
        asked = [body(customer_id=f"customer-{number}", transaction_id="t") for number in range(20)]
        before = [counter.ask("/v1/score", one).json["probability"] for one in asked]
        shop.publish(300, YESTERDAY, layout=NEWER, mark=9)
        while_both_are_served = [counter.ask("/v1/score", one).json["probability"] for one in asked]

        assert seen(counter) == (1, FIRST_SET, 1, None)
        assert while_both_are_served == before

        serve(folder / "served", OF_NEWER)
        wait_until(lambda: counter.score()["model_version"] == 2, "the promotion is picked up")

        assert seen(counter) == (2, NEWER.feature_set, 2, None)


def test_a_promotion_never_scores_with_the_features_of_another_set(shop: Shop, folder: Path) -> None:
    shop.publish(300, YESTERDAY, layout=NEWER, mark=9)
    serve(folder / "served", OF_FIRST)
    pairs = set()
    with running(folder, shop.url, shop.namespace, models=()) as counter:
        for number in range(6):
            serve(folder / "served", OF_NEWER if number % 2 == 0 else OF_FIRST)
            wanted = 2 if number % 2 == 0 else 1
            wait_until(lambda w=wanted: pairs.add(seen(counter)) or seen(counter)[0] == w, "it is picked up")  # type: ignore[misc]

    assert pairs == {(1, FIRST_SET, 1, None), (2, NEWER.feature_set, 2, None)}


def test_a_model_whose_set_is_not_published_reads_the_default_one_if_it_can(shop: Shop, folder: Path) -> None:
    serve(folder / "served", OF_NEWER)
    with running(folder, shop.url, shop.namespace, models=()) as counter:
        assert seen(counter) == (2, FIRST_SET, 1, None)  # the first set has all that the model reads
        assert "nothing of feature set behavioural@2 is published" in counter.log


def test_arms_of_an_experiment_read_their_own_sets(shop: Shop, folder: Path) -> None:
    shop.publish(300, YESTERDAY, layout=NEWER, mark=9)
    serve(folder / "served", OF_FIRST, OF_NEWER)
    arms = ((Arm("champion"), 0.5), (Arm("newer", BEHAVIOURAL, 2), 0.5))
    start_experiment(shop, Request("trial", arms))
    with running(folder, shop.url, shop.namespace, models=()) as counter:
        wait_until(lambda: counter.score()["experiment"] == "trial", "the experiment is picked up")
        purchases = [json.loads(body(customer_id=f"customer-{number}")) for number in range(40)]
        reply = counter.ask("/v1/score/batch", json.dumps({"purchases": purchases}).encode())

    found = {(one["arm"], one["model_version"], one["feature_set"]) for one in reply.json["predictions"]}
    assert found == {("champion", 1, FIRST_SET), ("newer", 2, NEWER.feature_set)}


def test_a_shadow_reads_its_own_set(shop: Shop, folder: Path) -> None:
    shop.publish(300, YESTERDAY, layout=NEWER, mark=9)
    serve(folder / "served", OF_FIRST, OF_NEWER)
    start_experiment(shop, Request("trial", (), (Arm("newer", BEHAVIOURAL, 2),)))
    with running(folder, shop.url, shop.namespace, models=()) as counter:
        wait_until(
            lambda: bool(counter.score()) and counter.metric('bnpl_shadow_total{outcome="scored"') > 0,
            "the shadow scores",
        )
        assert counter.score()["feature_version"] == 1
        counter.stop()
        logged = {(one["is_shadow"], one["model_version"], one["feature_version"]) for one in counter.logged()}

    assert logged == {(False, 1, 1), (True, 2, 2)}


@pytest.mark.parametrize("deprecated_on", [date(2026, 12, 31), None])
def test_whoever_scores_from_a_deprecated_set_is_warned(
    stocked: Shop, folder: Path, deprecated_on: date | None
) -> None:
    shop = Shop(stocked.url, f"{stocked.namespace}-{'old' if deprecated_on else 'new'}")
    shop.publish(300, YESTERDAY, deprecated_on=deprecated_on)
    with running(folder, shop.url, shop.namespace) as counter:
        found = counter.score()
        counted = counter.metric('bnpl_deprecated_reads_total{feature_set="behavioural@1"')

        warning = "feature set behavioural@1 is deprecated, and may be withdrawn after 2026-12-31; move to a newer one"
        assert found["warnings"] == ([warning] if deprecated_on else [])
        assert counted == (1 if deprecated_on else 0)
        assert (warning in counter.log) is bool(deprecated_on)
