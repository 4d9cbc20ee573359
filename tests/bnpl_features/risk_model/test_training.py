"""Models from the small lender: reproducible, monotone, calibrated; and what LightGBM is relied on for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bnpl_features.errors import TrainingRefused
from bnpl_features.risk_model.calibration import Calibration, fit_calibration
from bnpl_features.risk_model.evaluation import score_rows
from bnpl_features.risk_model.metrics import curve_of, rank, roc_auc
from bnpl_features.risk_model.training import (
    BEHAVIOURAL,
    MODEL_NAMES,
    TRANSACTION_ONLY,
    inputs_of,
    nominal_names,
    risk_directions,
    train,
    without_features,
)
from tests.lender import Lender


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_same_set_gives_the_same_model_text_whatever_the_threads(lender: Lender, name: str) -> None:
    again = train(name, lender.training, threads=2)

    assert again.booster.model_to_string() == lender.models[name].booster.model_to_string()
    assert again.fingerprint == lender.models[name].fingerprint


def test_behaviour_tells_more_than_the_purchase_alone(lender: Lender) -> None:
    rows = lender.training.test
    areas = {
        name: roc_auc(curve_of(rank(score_rows(model, lender.training, rows), lender.training.defaulted[rows])))
        for name, model in lender.models.items()
    }

    assert 0.55 < areas[TRANSACTION_ONLY] < areas[BEHAVIOURAL]


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_score_never_moves_against_a_declared_direction(lender: Lender, name: str) -> None:
    model = lender.models[name]
    random = np.random.default_rng(0)
    rows = lender.training.matrix(model.inputs, random.choice(lender.training.rows, 60, replace=False))
    directions = risk_directions(model.inputs)
    assert sum(map(bool, directions)) >= 7

    for position, direction in enumerate(directions):
        values = np.unique(lender.training.matrix(model.inputs, slice(0, 500))[:, position])
        values = values[~np.isnan(values)][:: max(1, len(values) // 15)]
        if direction and len(values) > 1:
            grid = np.repeat(rows[:, None, :], len(values), axis=1)
            grid[:, :, position] = values
            flat = grid.reshape(-1, rows.shape[1])
            width = len(model.inputs.purchase)
            scores = model.score_batch(flat[:, :width], flat[:, width:]).reshape(len(rows), -1)
            assert (direction * np.diff(scores, axis=1) >= -1e-12).all(), model.inputs.names[position]


def test_names_without_order_are_told_to_lightgbm(lender: Lender) -> None:
    names = nominal_names(lender.models[BEHAVIOURAL].inputs)

    assert "lifecycle_stage" in names
    assert "product_category" in names
    assert "checkout_speed" not in names


def test_mean_probability_is_near_the_default_rate_of_the_purchases_that_calibrated(lender: Lender) -> None:
    rows = lender.training.validation
    for model in lender.models.values():
        scores = score_rows(model, lender.training, rows)

        assert scores.mean() == pytest.approx(lender.training.defaulted[rows].mean(), rel=1e-3)


def test_too_few_defaults_are_refused(lender: Lender) -> None:
    hardly_any = np.array(lender.training.defaulted)
    hardly_any[lender.training.validation] = 0

    with pytest.raises(TrainingRefused, match=r"the validation part holds .* with 0 defaults"):
        train(TRANSACTION_ONLY, replace(lender.training, defaulted=hardly_any))


def test_a_model_says_what_it_comes_of(lender: Lender) -> None:
    provenance = lender.models[BEHAVIOURAL].provenance

    assert provenance["training_set"] == lender.training.fingerprint
    assert provenance["spec"] == lender.training.spec.to_json()
    assert provenance["days"]["test"] == lender.training.days_of(lender.training.test)


def test_inputs_without_some_features(lender: Lender) -> None:
    fewer = without_features(lender.training.inputs, {"txn_count_7d"})
    none = without_features(lender.training.inputs, set(lender.training.inputs.behavioural))

    assert "txn_count_7d" not in fewer.names
    assert len(fewer.behavioural) == len(inputs_of(BEHAVIOURAL, lender.training).behavioural) - 1
    assert none.behavioural == ()


class TestCalibration:
    def test_it_finds_the_curve_that_made_the_outcomes(self) -> None:
        random = np.random.default_rng(1)
        margins = random.normal(-2.0, 1.0, 200_000)
        defaulted = (random.random(margins.size) < 1 / (1 + np.exp(-(0.7 * margins - 0.4)))).astype(np.uint8)

        found = fit_calibration(margins, defaulted)

        assert (found.slope, found.intercept) == pytest.approx((0.7, -0.4), abs=0.05)

    def test_one_value_and_many_agree(self) -> None:
        calibration = Calibration(1.3, -0.2)
        margins = np.array([-1e6, -3.0, 0.0, 5.0, 700.0])

        assert calibration.probabilities(margins) == pytest.approx([calibration.probability(m) for m in margins])

    def test_scores_that_go_against_the_outcomes_are_refused(self) -> None:
        with pytest.raises(TrainingRefused, match="does not go with more defaults"):
            fit_calibration(np.arange(100.0), ((np.arange(100) < 50) ^ (np.arange(100) % 7 == 0)).astype(np.uint8))

    def test_a_single_outcome_is_refused(self) -> None:
        with pytest.raises(TrainingRefused, match="0 of 5 purchases"):
            fit_calibration(np.arange(5.0), np.zeros(5, dtype=np.uint8))
