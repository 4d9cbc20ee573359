"""What a score is worth, each figure defined once, on weighted purchases.

Ranking metrics come from one curve: purchases from the riskiest down, with equal scores as one step (`Ranking`). Where
a cut falls inside a step, its purchases are taken in proportion, which is what a random order among them gives in the
mean; so scores with few levels, such as the rules', are measured fairly. Notation: n purchases, D defaults; N(s) and
D(s) count those that score at least s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TERTILE, DECILE = 1.0 / 3.0, 0.1
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Ranking:
    """Purchases in order of score, riskiest first; made once, weighted as often as wanted.

    Attributes:
        order: shape [rows], positions of the purchases.
        ends: shape [steps], where in that order each run of equal scores ends (exclusive).
        score, defaulted: shape [rows], in that order.
    """

    order: NDArray[np.intp]
    ends: NDArray[np.intp]
    score: Floats
    defaulted: Floats


def rank(score: Floats, defaulted: NDArray[np.uint8] | Floats) -> Ranking:
    """Order purchases by score; `score` rises with risk, `defaulted` is 0 or 1, both of shape [rows]."""
    order = np.argsort(-score, kind="stable")
    ordered = np.asarray(score, dtype=np.float64)[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)) + 1, ordered.size)
    return Ranking(order, ends, ordered, np.asarray(defaulted, dtype=np.float64)[order])


@dataclass(frozen=True)
class Curve:
    """A ranking under weights: cumulated purchases and defaults at the end of each step, from (0, 0) on."""

    purchases: Floats
    defaults: Floats
    ranking: Ranking
    weights: Floats

    def defaults_among(self, share: float) -> float:
        """Defaults among the riskiest share of purchases."""
        return float(np.interp(share * self.purchases[-1], self.purchases, self.defaults))

    @property
    def default_rate(self) -> float:
        return float(self.defaults[-1] / self.purchases[-1])


def curve_of(ranking: Ranking, weights: Floats | None = None) -> Curve:
    """`weights` has shape [rows], in the purchases' own order: how often each counts."""
    ordered = np.ones(ranking.score.size) if weights is None else weights[ranking.order]
    purchases = np.cumsum(ordered)[ranking.ends - 1]
    defaults = np.cumsum(ordered * ranking.defaulted)[ranking.ends - 1]
    return Curve(np.append(0.0, purchases), np.append(0.0, defaults), ranking, ordered)


def roc_auc(curve: Curve) -> float:
    """Probability that a default scores above a repaid purchase, ties half: the area under D(s)/D over R(s)/R by the
    trapezoid rule, with R the repaid purchases (J. Hanley and B. McNeil, 1982). 0.5 is chance."""
    repaid = curve.purchases - curve.defaults
    return _ratio(float(np.trapezoid(curve.defaults, repaid)), float(repaid[-1] * curve.defaults[-1]))


def pr_auc(curve: Curve) -> float:
    """Average precision: the sum over steps of (recall gained) x D(s)/N(s), as scikit-learn's
    `average_precision_score`. The default rate is chance."""
    steps = np.diff(curve.defaults)
    held = curve.purchases[1:] > 0
    precision = curve.defaults[1:][held] / curve.purchases[1:][held]
    return _ratio(float((steps[held] * precision).sum()), float(curve.defaults[-1]))


def ks(curve: Curve) -> float:
    """Kolmogorov-Smirnov: the largest difference between D(s)/D and R(s)/R (the credit scorer's KS; 0..1)."""
    repaid = curve.purchases - curve.defaults
    apart = np.abs(curve.defaults * repaid[-1] - repaid * curve.defaults[-1]).max()
    return _ratio(float(apart), float(curve.defaults[-1] * repaid[-1]))


def brier(curve: Curve) -> float:
    """Mean squared difference between probability and outcome (G. Brier, 1950); 0 is perfect."""
    return float(np.average((curve.ranking.score - curve.ranking.defaulted) ** 2, weights=curve.weights))


def calibration_error(curve: Curve) -> float:
    """Expected calibration error: the mean over ten equally large bins of scores of |default rate - mean score|
    (M. Naeini et al., 2015, with quantile bins); 0 is perfect."""
    scores, rates, weights = _bins(curve)
    return float((weights * np.abs(scores - rates)).sum() / weights.sum())


def discrimination_ratio(curve: Curve) -> float:
    """Default rate of the riskiest third over that of the safest third: the lender's discrimination, target > 4.0."""
    safest = curve.defaults[-1] - curve.defaults_among(1.0 - TERTILE)
    return _ratio(curve.defaults_among(TERTILE), safest)


def top_decile_ratio(curve: Curve) -> float:
    """Default rate of the riskiest tenth over that of the rest."""
    top = curve.defaults_among(DECILE)
    return _ratio(top / DECILE, (curve.defaults[-1] - top) / (1.0 - DECILE))


def high_risk_precision(curve: Curve) -> float:
    """Default rate in the riskiest tenth: the lender's high-risk precision, target > 0.45."""
    return curve.defaults_among(DECILE) / (DECILE * float(curve.purchases[-1]))


def high_risk_recall(curve: Curve) -> float:
    """Share of all defaults that are in the riskiest tenth."""
    return _ratio(curve.defaults_among(DECILE), float(curve.defaults[-1]))


METRICS: Mapping[str, Callable[[Curve], float]] = {
    "roc_auc": roc_auc,
    "pr_auc": pr_auc,
    "ks": ks,
    "brier": brier,
    "calibration_error": calibration_error,
    "discrimination_ratio": discrimination_ratio,
    "top_decile_ratio": top_decile_ratio,
    "high_risk_precision": high_risk_precision,
    "high_risk_recall": high_risk_recall,
}
"""Metrics that need nothing but the curve."""

PROBABILITY_METRICS = ("brier", "calibration_error")
"""They ask for probabilities; a score without a scale, such as the rules', has none."""

LOWER_IS_BETTER = ("brier", "calibration_error", "default_rate_at_reference")


def precision_at(curve: Curve, threshold: float) -> float:
    """Default rate among purchases that score at least `threshold`, the operating point; NaN where there are none."""
    chosen = curve.ranking.score >= threshold
    weights = curve.weights[chosen]
    return _ratio(float((weights * curve.ranking.defaulted[chosen]).sum()), float(weights.sum()))


def default_rate_at(curve: Curve, approval_rate: float) -> float:
    """Default rate among the safest `approval_rate` (0..1) of purchases: what approving as many would have cost."""
    approved = curve.defaults[-1] - curve.defaults_among(1.0 - approval_rate)
    return _ratio(approved, approval_rate * float(curve.purchases[-1]))


def approval_rate_at(curve: Curve, default_rate: float) -> float:
    """The largest share of purchases, safest first, whose default rate is at most `default_rate`."""
    n, defaults = float(curve.purchases[-1]), float(curve.defaults[-1])
    approved = n - curve.purchases
    missed = defaults - curve.defaults
    # Along a step both are linear, so whether the rate is kept changes at most once: look for it from the riskiest end.
    excess = missed - default_rate * approved
    kept = np.flatnonzero(excess <= 0.0)
    first = int(kept[0])
    if first == 0:
        return 1.0
    before, after = excess[first - 1], excess[first]
    inside = before / (before - after) if before > after else 1.0
    return float((approved[first - 1] + inside * (approved[first] - approved[first - 1])) / n)


def reliability(curve: Curve) -> tuple[Floats, Floats]:
    """Mean score and default rate of ten equally large bins, riskiest first, for a plot."""
    scores, rates, _ = _bins(curve)
    return scores, rates


def decile_default_rates(curve: Curve) -> Floats:
    """Default rate of each tenth, riskiest first, shape [10]."""
    among = np.array([curve.defaults_among(share) for share in np.linspace(0.0, 1.0, 11)])
    rates: Floats = np.diff(among) / (DECILE * float(curve.purchases[-1]))
    return rates


def _bins(curve: Curve) -> tuple[Floats, Floats, Floats]:
    """Mean score, default rate and weight of each bin that holds purchases."""
    total = curve.weights.sum()
    bins = np.minimum((np.cumsum(curve.weights) - curve.weights) / total * CALIBRATION_BINS, CALIBRATION_BINS - 1)
    index = bins.astype(np.intp)
    weights: Floats = np.asarray(np.bincount(index, curve.weights, CALIBRATION_BINS), dtype=np.float64)
    scores = np.bincount(index, curve.weights * curve.ranking.score, CALIBRATION_BINS)
    defaults = np.bincount(index, curve.weights * curve.ranking.defaulted, CALIBRATION_BINS)
    held = weights > 0
    return scores[held] / weights[held], defaults[held] / weights[held], weights[held]


def _ratio(above: float, below: float) -> float:
    """NaN where there is nothing below: where only one outcome occurs, most figures say nothing."""
    return float(above / below) if below else float("nan")
