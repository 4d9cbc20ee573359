"""How good models are on the purchases that they were neither trained nor calibrated on, beside the rules.

Every figure has an interval, and every difference between two scores is taken on the same resampled customers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bnpl_features.risk_model.bootstrap import RESAMPLES, Interval, Report, intervals, to_nobody
from bnpl_features.risk_model.metrics import (
    METRICS,
    PROBABILITY_METRICS,
    Curve,
    Floats,
    Ranking,
    approval_rate_at,
    curve_of,
    default_rate_at,
    precision_at,
    rank,
)
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.rules import RULES, rules_approve, rules_score
from bnpl_features.risk_model.training_set import TrainingSet

HIGH_RISK_THRESHOLD = 0.2
"""Probability of default from which a purchase counts as high risk; settings may say otherwise."""


@dataclass(frozen=True)
class Evaluation:
    """Figures of each score on one set of purchases.

    Attributes:
        training_set: fingerprint of the set, whose test part was scored.
        purchases, defaults: of that part; `days` are its first and last.
        figures: score name -> metric -> interval.
        differences: "a - b" -> metric -> interval of the paired difference.
    """

    training_set: str
    days: tuple[str, str]
    purchases: int
    defaults: int
    figures: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Mapping[str, Interval]]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Evaluation:
        named = {
            part: {
                name: {key: Interval(**one) for key, one in metrics.items()} for name, metrics in value[part].items()
            }
            for part in ("figures", "differences")
        }
        return cls(**(value | named | {"days": tuple(value["days"])}))


def evaluate(
    models: Sequence[Model],
    training: TrainingSet,
    *,
    threshold: float = HIGH_RISK_THRESHOLD,
    resamples: int = RESAMPLES,
    threads: int = 1,
) -> Evaluation:
    """The rules and each model on the test part; differences of each score from the one before it."""
    rows = training.test
    scores = {RULES: rules_score(training, rows)} | {
        label_of(model, models): score_rows(model, training, rows, threads=threads) for model in models
    }
    return evaluate_scores(scores, training, rows, threshold=threshold, resamples=resamples)


def label_of(model: Model, models: Sequence[Model]) -> str:
    """The model's name, with its version where two have the same."""
    alike = [one for one in models if one.name == model.name]
    return model.name if len(alike) == 1 else f"{model.name} {model.version}"


def score_rows(model: Model, training: TrainingSet, rows: slice, *, threads: int = 1) -> Floats:
    """Probabilities of some purchases of a set, whose columns the model finds by name; shape [rows]."""
    width = len(model.inputs.purchase)
    matrix = training.matrix(model.inputs, rows)
    return model.score_batch(matrix[:, :width], matrix[:, width:], threads=threads)


def evaluate_scores(
    scores: Mapping[str, Floats],
    training: TrainingSet,
    rows: slice,
    *,
    threshold: float = HIGH_RISK_THRESHOLD,
    resamples: int = RESAMPLES,
    report: Report = to_nobody,
) -> Evaluation:
    """The same for any scores of the rows, each of shape [rows]; what is called `rules` has no probabilities."""
    defaulted = np.asarray(training.defaulted[rows])
    approved = rules_approve(training, rows)
    rankings = {name: rank(score, defaulted) for name, score in scores.items()}
    names = list(scores)
    pairs = list(zip(names[1:], names, strict=False)) + [(name, names[0]) for name in names[2:]]

    def measure(weights: Floats | None) -> dict[str, float]:
        drawn = {name: _figures(name, rankings[name], approved, threshold, weights) for name in names}
        flat = {f"{name}/{metric}": value for name in names for metric, value in drawn[name].items()}
        for one, other in pairs:
            shared = [metric for metric in drawn[one] if metric in drawn[other]]
            flat |= {f"{one} - {other}/{metric}": drawn[one][metric] - drawn[other][metric] for metric in shared}
        return flat

    customer, seed = np.asarray(training.customer[rows]), training.spec.seed
    found = intervals(measure, customer, resamples=resamples, seed=seed, report=report)
    return Evaluation(
        training.fingerprint,
        training.days_of(rows),
        int(defaulted.size),
        int(defaulted.sum()),
        {name: _under(found, name) for name in names},
        {f"{one} - {other}": _under(found, f"{one} - {other}") for one, other in pairs},
    )


def _figures(
    name: str, ranking: Ranking, approved: Floats, threshold: float, weights: Floats | None
) -> dict[str, float]:
    curve = curve_of(ranking, weights)
    left_out = PROBABILITY_METRICS if name == RULES else ()
    figures = {metric: of(curve) for metric, of in METRICS.items() if metric not in left_out}
    if name != RULES:
        figures["precision_at_threshold"] = precision_at(curve, threshold)
    return figures | _beside_the_rules(curve, ranking, approved, weights)


def _beside_the_rules(curve: Curve, ranking: Ranking, approved: Floats, weights: Floats | None) -> dict[str, float]:
    """At the rules' approval rate the default rate, and at their default rate the approval rate."""
    counted = np.ones_like(approved) if weights is None else weights
    taken = (counted * approved)[ranking.order]
    approval_rate = float(taken.sum() / counted.sum())
    default_rate = float((taken * ranking.defaulted).sum() / taken.sum()) if taken.sum() else 0.0
    return {
        "default_rate_at_reference": default_rate_at(curve, approval_rate),
        "approval_rate_at_reference": approval_rate_at(curve, default_rate),
    }


def _under(found: Mapping[str, Interval], name: str) -> dict[str, Interval]:
    return {key.removeprefix(f"{name}/"): one for key, one in found.items() if key.startswith(f"{name}/")}
