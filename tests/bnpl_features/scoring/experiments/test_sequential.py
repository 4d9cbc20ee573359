"""The statistics hold what they promise, also when somebody looks every day."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bnpl_features.scoring.experiments.power import plan
from bnpl_features.scoring.experiments.sequential import Sample, difference, split_evidence

LOOKS = np.unique(np.geomspace(500, 40_000, 60).astype(int))
TRIALS = 400


def streams(rate: float, seed: int) -> np.ndarray:
    dice = np.random.default_rng(seed)
    return np.cumsum(dice.random((TRIALS, LOOKS[-1]), dtype=np.float32) < rate, axis=1)[:, LOOKS - 1]


def test_daily_looks_find_a_difference_that_is_not_there_at_most_in_five_of_a_hundred() -> None:
    control, treatment = streams(0.05, 1), streams(0.05, 2)
    peeking, sequential = 0, 0
    for one, other in zip(treatment, control, strict=True):
        found = [
            difference(Sample(int(n), int(a)), Sample(int(n), int(b)))
            for n, a, b in zip(LOOKS, one, other, strict=True)
        ]
        sequential += any(look.low > 0.0 or look.high < 0.0 for look in found)
        rates = np.stack([one, other]) / LOOKS
        error = np.sqrt((rates * (1 - rates)).sum(axis=0) / LOOKS)
        peeking += bool((np.abs(rates[0] - rates[1]) > 1.96 * error).any())

    assert sequential / TRIALS <= 0.05
    assert peeking / TRIALS > 0.2  # what a test for one look does when it is looked at daily


def test_real_harm_is_found_before_the_planned_end() -> None:
    enough = plan(0.05, 0.02, customers_a_day=1_000.0, share=0.5)
    dice = np.random.default_rng(3)
    found = 0
    for _ in range(200):
        control, treatment = (dice.random(enough.any_look) < rate for rate in (0.05, 0.07))
        n = enough.any_look
        found += difference(Sample(n, int(treatment.sum())), Sample(n, int(control.sum()))).low > 0.0

    assert found / 200 > 0.75
    assert enough.any_look > enough.one_look


def test_nothing_is_said_of_a_few_events() -> None:
    found = difference(Sample(100, 20), Sample(100, 2))

    assert (found.low, found.high) == (-math.inf, math.inf)


def test_split_as_intended_has_no_evidence_against_it_at_any_look() -> None:
    dice = np.random.default_rng(4)
    worst = []
    for _ in range(200):
        arms = np.cumsum(dice.random(20_000) < 0.1)
        looks = np.arange(200, 20_001, 200)
        worst.append(
            max(split_evidence({"a": int(arms[n - 1]), "b": int(n - arms[n - 1])}, {"a": 0.1, "b": 0.9}) for n in looks)
        )

    assert sum(one > 20.0 for one in worst) / 200 <= 0.05


@pytest.mark.parametrize("customers", [{"a": 1_300, "b": 8_700}, {"a": 0, "b": 10_000}, {"a": 1_000, "c": 9_000}])
def test_split_other_than_intended_is_beyond_doubt(customers: dict[str, int]) -> None:
    assert split_evidence(customers, {"a": 0.1, "b": 0.9}) > 1_000.0


def test_shares_that_leave_customers_out_are_compared_among_those_inside() -> None:
    assert split_evidence({"a": 1_000, "b": 1_000}, {"a": 0.05, "b": 0.05}) < 1.0
