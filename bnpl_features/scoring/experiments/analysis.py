"""What came of an experiment, by arm: rates with intervals over customers, and comparisons that may be looked at daily.

Pure: rows of `outcomes.customers_query` in, a report out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpl_features.scoring.experiments.sequential import LEVEL, Difference, Sample, difference, split_evidence

Column = NDArray[Any]


@dataclass(frozen=True)
class Rate:
    """A share, and its interval for one look; NaN where nothing is known."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return "-" if math.isnan(self.value) else f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class ArmReport:
    """`default_rate` is of approved purchases with an outcome; `precision` the default rate of those that the arm would
    not have approved, as far as they were completed all the same."""

    arm: str
    is_shadow: bool
    customers: int
    purchases: int
    matured: int
    approval_rate: Rate
    default_rate: Rate
    precision: Rate
    approvals: Sample
    defaults: Sample


@dataclass(frozen=True)
class Comparison:
    """An arm less the control, over customers: of their first purchases the share approved, and of their first mature
    purchases the share that was approved and defaulted. Valid at any look."""

    arm: str
    approval: Difference
    defaults: Difference


@dataclass(frozen=True)
class Report:
    """`evidence` against the intended split is an e-value; `left_out` are customers who were in more than one arm."""

    arms: tuple[ArmReport, ...]
    comparisons: tuple[Comparison, ...]
    evidence: float
    left_out: int


def analyse(columns: Mapping[str, Column], control: str, shares: Mapping[str, float]) -> Report:
    """`columns` are those of `outcomes.customers_query`, one entry a customer and arm, in any order."""
    answering = ~columns["is_shadow"].astype(bool)
    kept, left_out = _in_one_arm(columns["customer_digest"], answering)
    names = sorted({(str(arm), bool(shadow)) for arm, shadow in zip(columns["arm"], columns["is_shadow"], strict=True)})
    arms = tuple(
        _arm(name, is_shadow, _rows(columns, (columns["arm"] == name) & (answering != is_shadow) & kept))
        for name, is_shadow in names
    )
    by_name = {arm.arm: arm for arm in arms if not arm.is_shadow}
    comparisons = tuple(
        Comparison(
            arm.arm,
            difference(arm.approvals, by_name[control].approvals),
            difference(arm.defaults, by_name[control].defaults),
        )
        for arm in by_name.values()
        if arm.arm != control and control in by_name
    )
    recent = answering & (columns["seen_since"] == 1)
    seen = {arm: int((recent & (columns["arm"] == arm)).sum()) for arm in by_name}
    return Report(arms, comparisons, split_evidence(seen, shares), left_out)


def _in_one_arm(customers: Column, answering: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], int]:
    """Customers whose arm changed with the shares are compared with nobody; how many there are is reported."""
    names, positions = np.unique(customers, return_inverse=True)
    arms = np.bincount(positions, weights=answering, minlength=names.size)
    moved = arms > 1
    return ~moved[positions], int(moved.sum())


def _rows(columns: Mapping[str, Column], chosen: NDArray[np.bool_]) -> dict[str, Column]:
    return {name: column[chosen] for name, column in columns.items()}


def _arm(name: str, is_shadow: bool, rows: Mapping[str, Column]) -> ArmReport:
    customers = int(rows["arm"].size)
    return ArmReport(
        name,
        is_shadow,
        customers,
        int(rows["purchases"].sum()),
        int(rows["matured"].sum()),
        _ratio(rows["approved"], rows["purchases"]),
        _ratio(rows["approved_defaults"], rows["matured_approved"]),
        _ratio(rows["flagged_defaults"], rows["flagged_outcomes"]),
        Sample(customers, int(rows["first_approved"].sum())),
        Sample(int(rows["first_matured"].sum()), int(rows["first_default"].sum())),
    )


def _ratio(events: Column, trials: Column, level: float = LEVEL) -> Rate:
    """Events a trial, with the delta method over customers: one customer's purchases share their fate."""
    total = float(trials.sum())
    if not total:
        return Rate(math.nan, math.nan, math.nan)
    value = float(events.sum()) / total
    has_some = trials > 0
    customers = int(has_some.sum())
    if customers < 2:
        return Rate(value, 0.0, 1.0)
    residuals = (events - value * trials)[has_some].astype(np.float64)
    error = math.sqrt(float((residuals**2).sum()) * customers / (customers - 1)) / total
    reach = NormalDist().inv_cdf(0.5 + level / 2.0) * error
    return Rate(value, max(value - reach, 0.0), min(value + reach, 1.0))


def columns_of(batches: Sequence[Mapping[str, Column]], names: Sequence[str]) -> dict[str, Column]:
    """The batches of a query as one column a name."""
    return {name: np.concatenate([batch[name] for batch in batches]) if batches else np.empty(0) for name in names}
