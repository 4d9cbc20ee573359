"""How far a day's values are from those of a reference: five measures between two sketches of one column.

All are effect sizes: they do not grow with the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.sketch import Bins, Sketch

SMALLEST_SHARE = 1e-4
"""Shares are floored here, or at half a row of the smaller side, so that a bin empty on one side gives a finite index
and, in a small sample, says no more than it can."""

Measure = Callable[[Sketch, Sketch, ProfiledColumn], float]
"""Of reference, current and their column."""


def population_stability_index(reference: Bins, current: Bins) -> float:
    """Sum over bins of (current share - reference share) * ln(current share / reference share).

    Source: Siddiqi, Credit Risk Scorecards (2006), ch. 9. Zero where either side has no rows.
    """
    total_reference, total_current = sum(reference.values()), sum(current.values())
    if not total_reference or not total_current:
        return 0.0
    index, floor = 0.0, max(SMALLEST_SHARE, 0.5 / min(total_reference, total_current))
    for position in set(reference) | set(current):
        expected = max(reference.get(position, 0) / total_reference, floor)
        found = max(current.get(position, 0) / total_current, floor)
        index += (found - expected) * math.log(found / expected)
    return index


def index_noise(reference: Bins, current: Bins) -> float:
    """What the index seldom exceeds (mean + 3 deviations) where both sides are independent draws of one distribution.

    It is then about (1/n + 1/m) times a chi-squared variable of bins - 1 degrees of freedom. Source: Yurdakul and
    Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation (2020).
    """
    total_reference, total_current = sum(reference.values()), sum(current.values())
    if not total_reference or not total_current:
        return 0.0
    freedom = max(len(set(reference) | set(current)) - 1, 0)
    return (freedom + 3 * math.sqrt(2 * freedom)) * (1 / total_reference + 1 / total_current)


def jensen_shannon_distance(reference: Bins, current: Bins) -> float:
    """Square root of the divergence in bits, 0 (the same) to 1 (nothing in common); zero where a side has no rows.

    Source: Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 37 (1991); that its root is
    a metric: Endres and Schindelin, ibid. 49 (2003).
    """
    total_reference, total_current = sum(reference.values()), sum(current.values())
    if not total_reference or not total_current:
        return 0.0
    divergence = 0.0
    for position in set(reference) | set(current):
        p = reference.get(position, 0) / total_reference
        q = current.get(position, 0) / total_current
        middle = (p + q) / 2
        divergence += sum(side * math.log2(side / middle) / 2 for side in (p, q) if side)
    return math.sqrt(max(divergence, 0.0))


def wasserstein_normalised(reference: Sketch, current: Sketch, column: ProfiledColumn) -> float:
    """The area between the distribution functions, linear inside bins, in standard deviations of the reference.

    Of names, which have no distance from one another but 1, it is the share that must change its name. Source:
    Villani, Optimal Transport (2009), ch. 6.
    """
    if not reference.present or not current.present:
        return 0.0
    p = [rows / reference.present for rows in reference.histogram]
    q = [rows / current.present for rows in current.histogram]
    if column.categories:
        return sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2
    extremes = (reference.smallest, reference.largest, current.smallest, current.largest)
    known = [value for value in extremes if value is not None and math.isfinite(value)]
    spread = reference.standard_deviation
    if not known:
        return 0.0
    if not spread:
        return 0.0 if min(known) == max(known) else 1.0
    places = [min(min(known), column.edges[0]), *column.edges, max(max(known), column.edges[-1])]
    gaps, below = [0.0], 0.0
    for a, b in zip(p, q, strict=True):
        below += a - b
        gaps.append(below)
    area = sum(_area(*gap) * (high - low) for gap, (low, high) in zip(pairwise(gaps), pairwise(places), strict=True))
    return area / spread


def null_shift(reference: Sketch, current: Sketch, column: ProfiledColumn) -> float:
    """The change of the share of nulls, -1 to 1."""
    return current.null_share - reference.null_share if reference.row_count and current.row_count else 0.0


def range_shift(reference: Sketch, current: Sketch, column: ProfiledColumn) -> float:
    """The share of values in bins outside those that hold all but 0.01 % of the reference at either end, or, of names,
    in bins that hold no more than that share of the reference."""
    if not reference.present or not current.present:
        return 0.0
    shares = [rows / reference.present for rows in reference.histogram]
    if column.categories:
        outside = [share <= SMALLEST_SHARE for share in shares]
    else:
        outside = [
            sum(shares[: n + 1]) <= SMALLEST_SHARE or sum(shares[n:]) <= SMALLEST_SHARE for n in range(len(shares))
        ]
    return sum(rows for rows, is_out in zip(current.histogram, outside, strict=True) if is_out) / current.present


MEASURES: Mapping[str, Measure] = {
    "psi": lambda reference, current, _: population_stability_index(reference.bins, current.bins),
    "jensen_shannon": lambda reference, current, _: jensen_shannon_distance(reference.bins, current.bins),
    "wasserstein": wasserstein_normalised,
    "null_shift": null_shift,
    "range_shift": range_shift,
}


def _area(start: float, end: float) -> float:
    """Under |line from start to end| over a unit."""
    if start * end >= 0:
        return (abs(start) + abs(end)) / 2
    return (start**2 + end**2) / (2 * (abs(start) + abs(end)))
