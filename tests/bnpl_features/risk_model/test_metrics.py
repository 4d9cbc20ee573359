"""Each metric against values worked out by hand, against scikit-learn, and under weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn

from bnpl_features.risk_model import metrics
from bnpl_features.risk_model.bootstrap import intervals, resampled
from bnpl_features.risk_model.metrics import Curve, curve_of, rank

# Ten purchases, riskiest first: 1 0 1 0 0 | 0 0 0 0 0, with a tie of the fourth and fifth.
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05])
DEFAULTED = np.array([1, 0, 1, 0, 1, 0, 0, 0, 0, 0], dtype=np.uint8)


@pytest.fixture
def curve() -> Curve:
    return curve_of(rank(SCORES, DEFAULTED))


def random_case(seed: int, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(seed)
    score = random.integers(0, levels, 5_000) / levels
    return score, (random.random(5_000) < score**2).astype(np.uint8), random.integers(0, 4, 5_000).astype(float)


@pytest.mark.parametrize("levels", [3, 100, 10**9])
def test_ranking_and_probability_metrics_are_those_of_scikit_learn(levels: int) -> None:
    score, defaulted, weight = random_case(1, levels)

    for weights in (None, weight):
        found = curve_of(rank(score, defaulted), weights)

        given = {"sample_weight": weights}
        assert metrics.roc_auc(found) == pytest.approx(sklearn.roc_auc_score(defaulted, score, **given))
        assert metrics.pr_auc(found) == pytest.approx(sklearn.average_precision_score(defaulted, score, **given))
        assert metrics.brier(found) == pytest.approx(sklearn.brier_score_loss(defaulted, score, **given))
        false, true, _ = sklearn.roc_curve(defaulted, score, drop_intermediate=False, **given)
        assert metrics.ks(found) == pytest.approx(np.abs(true - false).max())


def test_a_weight_is_a_repetition() -> None:
    score, defaulted, weight = random_case(2, 50)
    repeated = np.repeat(np.arange(score.size), weight.astype(int))

    weighted = curve_of(rank(score, defaulted), weight)

    written_out = curve_of(rank(score[repeated], defaulted[repeated]))
    for name, of in metrics.METRICS.items():
        # A calibration bin of repeated purchases may be cut inside one.
        tolerance = 0.02 if name == "calibration_error" else 1e-9
        assert of(weighted) == pytest.approx(of(written_out), abs=tolerance), name


def test_discrimination_is_the_riskiest_third_over_the_safest(curve: Curve) -> None:
    # 3 1/3 purchases: defaults of the first three (2), and a third of the tie's mean (1/2).
    assert curve.defaults_among(1 / 3) == pytest.approx(2 + (1 / 3) * 0.5)
    assert np.isnan(metrics.discrimination_ratio(curve)), "no default in the safest third"

    one_more = np.array([*DEFAULTED[:-1], 1], dtype=np.uint8)
    assert metrics.discrimination_ratio(curve_of(rank(SCORES, one_more))) == pytest.approx(2 + 1 / 6)


def test_figures_of_the_top_tenth(curve: Curve) -> None:
    assert metrics.high_risk_precision(curve) == 1.0
    assert metrics.high_risk_recall(curve) == pytest.approx(1 / 3)
    assert metrics.top_decile_ratio(curve) == pytest.approx(1.0 / (2 / 9))


def test_precision_at_a_threshold(curve: Curve) -> None:
    assert metrics.precision_at(curve, 0.6) == pytest.approx(3 / 5)
    assert np.isnan(metrics.precision_at(curve, 0.95))


@pytest.mark.parametrize(("approved", "rate"), [(1.0, 0.3), (0.5, 0.0), (0.7, 1 / 7), (0.6, 0.5 / 6)])
def test_default_rate_at_an_approval_rate(curve: Curve, approved: float, rate: float) -> None:
    assert metrics.default_rate_at(curve, approved) == pytest.approx(rate)


@pytest.mark.parametrize(("rate", "approved"), [(0.3, 1.0), (1.0, 1.0), (0.0, 0.5), (1 / 7, 0.7), (0.5 / 6, 0.6)])
def test_approval_rate_at_a_default_rate(curve: Curve, rate: float, approved: float) -> None:
    assert metrics.approval_rate_at(curve, rate) == pytest.approx(approved)


def test_calibration_error_is_none_where_probabilities_hold_and_the_gap_where_they_do_not() -> None:
    random = np.random.default_rng(3)
    probability = random.random(200_000)
    defaulted = (random.random(probability.size) < probability).astype(np.uint8)

    assert metrics.calibration_error(curve_of(rank(probability, defaulted))) < 0.01
    assert metrics.calibration_error(curve_of(rank(np.full(1000, 0.9), np.zeros(1000, np.uint8)))) == pytest.approx(0.9)


def test_ten_bins_and_ten_tenths(curve: Curve) -> None:
    scores, rates = metrics.reliability(curve)

    assert scores[0] == pytest.approx(0.9)
    assert rates.sum() == pytest.approx(3.0)
    assert metrics.decile_default_rates(curve) == pytest.approx([1, 0, 1, 0.5, 0.5, 0, 0, 0, 0, 0])


class TestIntervals:
    def test_an_interval_of_a_mean_is_about_two_standard_errors(self) -> None:
        random = np.random.default_rng(0)
        values = random.normal(0, 1, 2_000)
        found = intervals(
            lambda w: {"mean": float(np.average(values, weights=w))}, np.arange(2_000, dtype=np.int32), resamples=400
        )["mean"]

        assert found.value == pytest.approx(values.mean())
        assert (found.high - found.low) / 2 == pytest.approx(1.96 / np.sqrt(2_000), rel=0.15)

    def test_purchases_of_one_customer_count_as_one(self) -> None:
        random = np.random.default_rng(0)
        own = np.repeat(np.arange(200, dtype=np.int32), 25)
        values = random.normal(0, 1, 200)[own]

        def mean(weights: np.ndarray | None) -> dict[str, float]:  # type: ignore[type-arg]
            return {"mean": float(np.average(values, weights=weights))}

        by_customer = intervals(mean, own)["mean"]
        by_row = intervals(mean, np.arange(5_000, dtype=np.int32))["mean"]
        assert by_customer.high - by_customer.low > 3 * (by_row.high - by_row.low)

    def test_the_same_seed_gives_the_same_weights_and_customers_stay_whole(self) -> None:
        own = np.array([7, 7, 3, 9, 3], dtype=np.int32)

        first, again = (list(resampled(own, 5, seed=2)) for _ in range(2))

        np.testing.assert_array_equal(first, again)
        for weights in first:
            assert weights[0] == weights[1]
            assert weights[2] == weights[4]

    def test_a_figure_that_cannot_be_said_has_no_bounds(self) -> None:
        found = intervals(lambda w: {"nothing": float("nan")}, np.arange(5, dtype=np.int32), resamples=3)["nothing"]

        assert np.isnan([found.value, found.low, found.high]).all()
