"""Models and experiments as the registry, the definitions and the warehouse have them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bnpl_features.console.figures.experiments import experiments, outcome
from bnpl_features.console.figures.models import models
from bnpl_features.errors import ExperimentRefused
from bnpl_features.scoring.experiments.definition import Arm, Request
from bnpl_features.scoring.experiments.guardrails import Guardrails
from bnpl_features.scoring.experiments.operating import adjust_shares, start_experiment, stop_experiment
from bnpl_features.store.versions import audit_trail
from bnpl_features.warehouse.transactions import Source
from tests.bnpl_features.console.desk import BEGUN, EXPERIMENT, Desk
from tests.lender import SPEC


def test_champion_and_challenger_are_judged_beside_the_rules(desk: Desk) -> None:
    found = models(desk.registry)

    judged = found.judged_of("behavioural")
    assert [(one.role, one.number) for one in judged] == [("champion", 1), ("challenger", 2)]
    auc = judged[0].figures["roc_auc"]
    assert auc.low <= auc.value <= auc.high
    assert "roc_auc" in judged[0].rules
    assert [one.number for one in found.versions if one.name == "behavioural"] == [2, 1]
    assert found.names[0] == "behavioural"


def test_an_experiment_has_its_arms_and_what_is_left(desk: Desk) -> None:
    found = next(one for one in experiments(desk.shelf) if one.name == EXPERIMENT)

    assert {arm.name: (arm.share, arm.is_control, arm.is_shadow) for arm in found.arms} == {
        "champion": (0.5, True, False),
        "new": (0.4, False, False),
        "silent": (None, False, True),
    }
    assert found.outside == pytest.approx(0.1)


def test_an_outcome_has_rates_and_comparisons(desk: Desk) -> None:
    made = outcome(
        desk.shelf,
        desk.warehouse,
        Source(),
        EXPERIMENT,
        as_of=BEGUN + timedelta(days=60),
        maturity_days=SPEC.maturity_days,
        guardrails=Guardrails(),
    )

    assert {arm.arm for arm in made.report.arms} == {"champion", "new"}
    assert all(arm.purchases > 100 for arm in made.report.arms)
    assert [one.arm for one in made.report.comparisons] == ["new"]


def test_what_operators_do_is_audited_with_who_and_why(desk: Desk) -> None:
    stop_experiment(desk.shelf, EXPERIMENT, actor="ann", reason="pause")
    start_experiment(desk.shelf, Request("winter", ((Arm("champion"), 0.5),)), actor="bob", reason="again")
    adjust_shares(desk.shelf, "winter", {"champion": 0.6}, actor="cid", reason="more")

    acts = [(one.act, one.actor, one.reason) for one in audit_trail(desk.shop.client, desk.shop.keyspace, 3)]
    assert acts == [
        ("change shares of experiment winter", "cid", "more"),
        ("start experiment winter", "bob", "again"),
        (f"stop experiment {EXPERIMENT}", "ann", "pause"),
    ]
    assert [one.name for one in experiments(desk.shelf)] == ["winter", EXPERIMENT]
    with pytest.raises(ExperimentRefused, match="reason"):
        adjust_shares(desk.shelf, "winter", {"champion": 0.5}, actor="cid", reason=" ")
