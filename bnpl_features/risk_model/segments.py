"""The same figures by segment: where in a customer's life, and in which credit range, a model works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnpl_features.risk_model.bootstrap import RESAMPLES, Interval, intervals
from bnpl_features.risk_model.metrics import (
    Floats,
    curve_of,
    discrimination_ratio,
    high_risk_precision,
    rank,
    roc_auc,
)
from bnpl_features.risk_model.purchase_inputs import CREDIT_RANGE
from bnpl_features.risk_model.training_set import TrainingSet

LIFECYCLE = "lifecycle_stage"
UNKNOWN, NOT_SAID = "unknown customer", "not said"

FEWEST_DEFAULTS = 30
"""Under this many defaults a segment's figures would be noise; it is counted only."""


@dataclass(frozen=True)
class Segment:
    """Figures of one score in one segment: metric -> interval; empty where there are too few defaults."""

    kind: str
    name: str
    score: str
    purchases: int
    defaults: int
    figures: Mapping[str, Interval]


def by_segment(
    scores: Mapping[str, Floats], training: TrainingSet, rows: slice, *, resamples: int = RESAMPLES
) -> list[Segment]:
    """Every score in every segment of the rows; scores have shape [rows]."""
    found = []
    defaulted, customer = np.asarray(training.defaulted[rows]), np.asarray(training.customer[rows])
    for kind, name, inside in segments_of(training, rows):
        defaults = int(defaulted[inside].sum())
        for label, score in scores.items():
            figures: Mapping[str, Interval] = {}
            if defaults >= FEWEST_DEFAULTS:
                figures = _figures(score[inside], defaulted[inside], customer[inside], resamples, training.spec.seed)
            found.append(Segment(kind, name, label, int(inside.sum()), defaults, figures))
    return found


def segments_of(training: TrainingSet, rows: slice) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """(kind, name, which rows); every row is in one segment of each kind."""
    known = np.asarray(training.known[rows])
    assert training.inputs.layout is not None
    names = training.inputs.layout.names
    if LIFECYCLE in names:
        position = names.index(LIFECYCLE)
        stages = training.inputs.layout.fields[position].storage.names
        codes = training.behavioural[rows][:, position]
        yield LIFECYCLE, UNKNOWN, ~known
        yield from ((LIFECYCLE, stage, known & (codes == code)) for code, stage in enumerate(stages))
    ranges = [one.name for one in training.inputs.purchase].index(CREDIT_RANGE)
    codes = training.purchases[rows][:, ranges]
    for code, name in enumerate(training.inputs.purchase[ranges].values):
        yield CREDIT_RANGE, name, codes == code
    yield CREDIT_RANGE, NOT_SAID, np.isnan(codes)


def _figures(
    score: Floats, defaulted: NDArray[np.uint8], customer: NDArray[np.int32], resamples: int, seed: int
) -> dict[str, Interval]:
    ranking = rank(score, defaulted)

    def measure(weights: Floats | None) -> dict[str, float]:
        curve = curve_of(ranking, weights)
        return {
            "default_rate": curve.default_rate,
            "roc_auc": roc_auc(curve),
            "discrimination_ratio": discrimination_ratio(curve),
            "high_risk_precision": high_risk_precision(curve),
        }

    return intervals(measure, customer, resamples=resamples, seed=seed)
