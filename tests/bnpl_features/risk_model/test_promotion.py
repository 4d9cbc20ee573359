"""The gate, both ways; and that every attempt is on record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bnpl_features.errors import ModelMissing, PromotionRefused
from bnpl_features.risk_model.gate import examine
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.model_files import fingerprint_of
from bnpl_features.risk_model.promotion import FORCED, PROMOTED, REFUSED, promote, promotions
from bnpl_features.risk_model.registry import CHALLENGER, CHAMPION, Registry, open_registry, register, versions
from bnpl_features.risk_model.training import BEHAVIOURAL, TRANSACTION_ONLY, train
from bnpl_features.risk_model.training_set import ARRAYS, TrainingSet
from tests.lender import Lender


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry("", tmp_path)


@pytest.fixture(scope="module")
def worse(lender: Lender) -> Model:
    """Called behavioural, but of what it takes every number was shuffled before it was trained."""
    random = np.random.default_rng(0)
    purchases, behavioural = np.array(lender.training.purchases), np.array(lender.training.behavioural)
    for matrix in (purchases, behavioural):
        for column in matrix.T:
            random.shuffle(column)
    keep = [one.name for one in lender.training.inputs.purchase].index("risk_score")
    purchases[:, keep] = lender.training.purchases[:, keep]
    return train(BEHAVIOURAL, replace(lender.training, purchases=purchases, behavioural=behavioural))


def go(registry: Registry, training: TrainingSet, **given: object) -> str:
    chosen = {"actor": "ann", "reason": "trained on March", "resamples": 40} | given
    return promote(registry, BEHAVIOURAL, training, **chosen).outcome  # type: ignore[arg-type]


def test_a_first_champion_has_to_beat_the_rules(lender: Lender, registry: Registry) -> None:
    register(registry, lender.models[BEHAVIOURAL])

    assert go(registry, lender.training) == PROMOTED

    [version] = versions(registry, BEHAVIOURAL)
    assert version.aliases == (CHAMPION,)


def test_an_equal_challenger_passes(lender: Lender, registry: Registry) -> None:
    register(registry, lender.models[BEHAVIOURAL])
    go(registry, lender.training)
    register(registry, lender.models[BEHAVIOURAL])

    assert go(registry, lender.training, reason="the same again") == PROMOTED

    assert [(v.number, v.aliases) for v in versions(registry, BEHAVIOURAL)] == [(2, (CHAMPION,)), (1, ())]
    newest, first = promotions(registry)
    assert (newest["previous"], newest["version"], newest["reason"]) == ("1", "2", "the same again")
    assert (first["previous"], first["outcome"], first["actor"]) == ("", PROMOTED, "ann")


def test_a_worse_challenger_is_refused_with_the_figures_and_the_refusal_is_kept(
    lender: Lender, registry: Registry, worse: Model
) -> None:
    register(registry, lender.models[BEHAVIOURAL])
    go(registry, lender.training)
    register(registry, worse)

    with pytest.raises(PromotionRefused, match=r"roc_auc 0\.\d+ against 0\.\d+: difference .* does not hold"):
        go(registry, lender.training)

    assert [(v.number, v.aliases) for v in versions(registry, BEHAVIOURAL)] == [(2, (CHALLENGER,)), (1, (CHAMPION,))]
    assert promotions(registry)[0]["outcome"] == REFUSED


def test_force_passes_the_gate_by_and_says_so(lender: Lender, registry: Registry, worse: Model) -> None:
    register(registry, lender.models[BEHAVIOURAL])
    go(registry, lender.training)
    register(registry, worse)

    assert go(registry, lender.training, force=True, reason="regulator asked") == FORCED

    assert promotions(registry)[0] | {"at": ""} == {
        "at": "",
        "model": BEHAVIOURAL,
        "version": "2",
        "previous": "1",
        "outcome": FORCED,
        "actor": "ann",
        "reason": "regulator asked",
    }


def test_a_reason_is_needed_and_the_champion_is_not_promoted_again(lender: Lender, registry: Registry) -> None:
    register(registry, lender.models[BEHAVIOURAL])
    with pytest.raises(PromotionRefused, match="needs a reason"):
        go(registry, lender.training, reason="  ", force=True)
    go(registry, lender.training)

    with pytest.raises(PromotionRefused, match="is the champion already"):
        go(registry, lender.training, which="1")
    with pytest.raises(ModelMissing, match="has no challenger"):
        go(registry, lender.training)


def test_a_model_that_saw_the_test_is_refused(lender: Lender) -> None:
    honest = lender.models[BEHAVIOURAL]
    days = honest.provenance["days"] | {"validation": honest.provenance["days"]["test"]}
    cheat = replace(honest, version=9, provenance=honest.provenance | {"days": days})

    _, objections = examine(cheat, honest, lender.training, resamples=5)

    assert any("challenger 9 was trained on purchases up to" in one for one in objections)


def test_better_figures_whose_interval_allows_worse_ones_are_refused_for_a_first_champion(lender: Lender) -> None:
    """With a handful of purchases no interval excludes that the rules are better."""
    rows = slice(lender.training.boundaries[1], lender.training.boundaries[1] + 60)
    few = replace(
        lender.training,
        **{
            name: np.concatenate(
                [getattr(lender.training, name)[: rows.start : 40], getattr(lender.training, name)[rows]]
            )
            for name, array in lender.training.__dict__.items()
            if name in ARRAYS
        },
    )

    _, objections = examine(lender.models[TRANSACTION_ONLY], None, few, resamples=50)

    assert objections


def test_fingerprints_tell_models_apart(lender: Lender, worse: Model) -> None:
    better = lender.models[BEHAVIOURAL]

    assert worse.fingerprint != better.fingerprint
    trees = better.booster.model_to_string()
    assert fingerprint_of(better.name, better.inputs, better.calibration, trees) == better.fingerprint
