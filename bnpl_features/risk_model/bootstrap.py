"""Intervals by resampling customers, not purchases: one customer's purchases share their fate.

Rows resampled one by one would give intervals that are too narrow (docs/decisions/0021-resample-customers.md). All
scores of a resample see the same customers, so a difference between two models is paired.

Source: B. Efron and R. Tibshirani, An introduction to the bootstrap, 1993, percentile intervals; clusters as in C.
Field and A. Welsh, 2007.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bnpl_features.risk_model.metrics import Floats

LEVEL = 0.95
RESAMPLES = 200

Measure = Callable[[Floats | None], Mapping[str, float]]
"""Weights of the purchases, shape [rows], or None for each once -> figures by name."""


@dataclass(frozen=True)
class Interval:
    """A figure, and where it lies in 95 of 100 resamples; NaN where it cannot be said."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


Report = Callable[[int, int], None]
"""Told after each step how many are done, of how many."""


def to_nobody(done: int, total: int) -> None:
    pass


def intervals(
    measure: Measure,
    customer: NDArray[np.int32],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    report: Report = to_nobody,
) -> dict[str, Interval]:
    """The measure's figures with their intervals; `customer` says whose each purchase is, shape [rows].

    The same seed gives the same intervals. With `resamples` 0 the bounds are NaN.
    """
    whole, drawn = measure(None), []
    for done, weights in enumerate(resampled(customer, resamples, seed), start=1):
        drawn.append(measure(weights))
        report(done, resamples)
    return {name: _interval(value, np.array([one[name] for one in drawn])) for name, value in whole.items()}


def resampled(customer: NDArray[np.int32], resamples: int, seed: int) -> Iterator[Floats]:
    """Weights of the purchases: how often a draw of as many customers, with replacement, took each one's customer."""
    random = np.random.default_rng(seed)
    numbers, own = np.unique(customer, return_inverse=True)
    for _ in range(resamples):
        drawn = np.bincount(random.integers(0, numbers.size, numbers.size), minlength=numbers.size)
        yield drawn[own].astype(np.float64)


def _interval(value: float, drawn: Floats) -> Interval:
    known = drawn[np.isfinite(drawn)]
    if not known.size:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))
