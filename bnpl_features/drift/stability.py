"""How far two distributions over the same bins are apart, and what that means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

SMALLEST_SHARE = 1e-4
"""Shares are floored here, so that a bin empty on one side gives a finite index."""

Bins = Mapping[int, int]
"""Customers by bin."""


class Severity(StrEnum):
    STABLE = "stable"
    WARN = "warn"
    ERROR = "error"


def population_stability_index(reference: Bins, current: Bins) -> float:
    """Sum over bins of (current share - reference share) * ln(current share / reference share).

    Source: Siddiqi, Credit Risk Scorecards (2006), ch. 9. Zero where either side has no customers.
    """
    total_reference, total_current = sum(reference.values()), sum(current.values())
    if not total_reference or not total_current:
        return 0.0
    index = 0.0
    for position in set(reference) | set(current):
        expected = max(reference.get(position, 0) / total_reference, SMALLEST_SHARE)
        found = max(current.get(position, 0) / total_current, SMALLEST_SHARE)
        index += (found - expected) * math.log(found / expected)
    return index


def severity(index: float, warn: float, error: float) -> Severity:
    if index >= error:
        return Severity.ERROR
    return Severity.WARN if index >= warn else Severity.STABLE
