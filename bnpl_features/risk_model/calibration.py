"""Margins -> probabilities: Platt's scaling, a logistic curve with two parameters.

It keeps the order of scores, so no ranking metric changes, and costs one exponential a row. Isotonic regression would
tie scores together (docs/decisions/0022-platt-not-isotonic.md).

Source: J. Platt, Probabilistic outputs for support vector machines, 1999; the targets are not smoothed, since there are
thousands of defaults.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnpl_features.errors import TrainingRefused

Floats = NDArray[np.float64]

_ITERATIONS = 100
_TOLERANCE = 1e-10
_RIDGE = 1e-9
"""Keeps the matrix invertible where all margins are alike."""


@dataclass(frozen=True)
class Calibration:
    """probability = 1 / (1 + exp(-(slope * margin + intercept))), with slope > 0."""

    slope: float = 1.0
    intercept: float = 0.0

    def probability(self, margin: float) -> float:
        logit = self.slope * margin + self.intercept
        return 1.0 / (1.0 + math.exp(-logit)) if logit > -700.0 else 0.0

    def probabilities(self, margins: Floats) -> Floats:
        logits = self.slope * margins + self.intercept
        probabilities: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -700.0, 700.0)))
        return probabilities


def fit_calibration(margins: Floats, defaulted: NDArray[np.uint8]) -> Calibration:
    """The most likely calibration of margins by what became of the purchases (Newton's method).

    Raises `TrainingRefused` where there is only one outcome, or where higher margins do not go with more defaults.
    """
    if not 0 < int(defaulted.sum()) < defaulted.size:
        raise TrainingRefused(
            f"{int(defaulted.sum())} of {defaulted.size} purchases that calibrate the model defaulted; "
            "train on more days, so that both outcomes occur"
        )
    # In units of their own spread, from the overall default rate on, Newton's steps do not overshoot.
    centre, spread = float(margins.mean()), float(margins.std()) or 1.0
    rate = float(defaulted.mean())
    design = np.column_stack([(margins - centre) / spread, np.ones_like(margins)])
    weights = np.array([0.0, math.log(rate / (1.0 - rate))])
    for _ in range(_ITERATIONS):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -700.0, 700.0)))
        gradient = design.T @ (defaulted - probability)
        curvature = (design * (probability * (1.0 - probability))[:, None]).T @ design + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if float(np.abs(step).max()) < _TOLERANCE:
            break
    slope = float(weights[0]) / spread
    intercept = float(weights[1]) - slope * centre
    if not slope > 0.0:
        raise TrainingRefused(
            "on later purchases a higher score does not go with more defaults, so the model has learned nothing that "
            "lasts; train on more days, or look for drift"
        )
    return Calibration(slope, intercept)
