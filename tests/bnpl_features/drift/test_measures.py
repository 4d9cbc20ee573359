"""Measures between sketches, against values worked out by hand; and that they stay small where nothing moved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.measures import (
    SMALLEST_SHARE,
    index_noise,
    jensen_shannon_distance,
    null_shift,
    population_stability_index,
    range_shift,
    wasserstein_normalised,
)
from bnpl_features.drift.sketch import Sketch

NUMBER = ProfiledColumn("amount", "amount", edges=(1.0, 2.0, 3.0), is_scaled=True)
NAME = ProfiledColumn("kind", "kind", categories=("a", "b"))
BINS = st.dictionaries(st.integers(-1, 12), st.integers(0, 10_000), max_size=8)


def number(*histogram: int, nulls: int = 0, low: float = 0.0, high: float = 4.0) -> Sketch:
    """Values in the middle of bins of width 1."""
    values = [(position + 0.5, rows) for position, rows in enumerate(histogram)]
    total, squares = (sum(value**power * rows for value, rows in values) for power in (1, 2))
    return Sketch(sum(histogram) + nulls, nulls, histogram, low, high, total, squares)


def name(*histogram: int, nulls: int = 0) -> Sketch:
    return Sketch(sum(histogram) + nulls, nulls, histogram)


def test_the_index_is_the_sum_over_bins_of_difference_times_log_ratio() -> None:
    # (0.5 - 0.4) ln(0.5/0.4) + (0.3 - 0.4) ln(0.3/0.4) + (0.2 - 0.2) ln 1 = 0.0223144 + 0.0287682
    index = population_stability_index({0: 40, 1: 40, 2: 20}, {0: 500, 1: 300, 2: 200})

    assert index == pytest.approx(0.0510826, abs=1e-7)


@pytest.mark.parametrize(("reference", "current"), [({}, {0: 5}), ({0: 5}, {}), ({0: 0}, {0: 5}), ({}, {})])
def test_nothing_to_compare_with_gives_zero(reference: dict[int, int], current: dict[int, int]) -> None:
    assert population_stability_index(reference, current) == 0.0
    assert jensen_shannon_distance(reference, current) == 0.0
    assert index_noise(reference, current) == 0.0


def test_a_bin_that_is_empty_on_one_side_gives_a_finite_index_that_few_rows_keep_small() -> None:
    many = population_stability_index({0: 10**6}, {1: 10**6})
    few = population_stability_index({0: 10}, {1: 10})

    assert many == pytest.approx(2 * (1 - SMALLEST_SHARE) * math.log(1 / SMALLEST_SHARE))
    assert few == pytest.approx(2 * (1 - 0.05) * math.log(1 / 0.05))


@given(BINS, BINS)
def test_index_and_distance_are_symmetric_and_bounded(one: dict[int, int], other: dict[int, int]) -> None:
    index, distance = population_stability_index(one, other), jensen_shannon_distance(one, other)

    assert index >= 0.0
    assert math.isfinite(index)
    assert 0.0 <= distance <= 1.0 + 1e-12
    assert index == pytest.approx(population_stability_index(other, one))
    assert distance == pytest.approx(jensen_shannon_distance(other, one))


def test_draws_of_one_distribution_seldom_exceed_the_noise_of_the_index() -> None:
    random, shares = np.random.default_rng(0), np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    exceeded = 0
    for _ in range(500):
        one, other = (dict(enumerate(random.multinomial(size, shares).tolist())) for size in (300, 2_000))
        exceeded += population_stability_index(one, other) > index_noise(one, other)

    assert exceeded <= 10


def test_distributions_with_nothing_in_common_are_one_apart() -> None:
    assert jensen_shannon_distance({0: 7}, {1: 3}) == 1.0
    # Shares (1/2, 1/2) and (1, 0): 1/2 [1/2 log2(1/2 / 3/4) + 1/2 log2(1/2 / 1/4)] + 1/2 log2(1 / 3/4)
    assert jensen_shannon_distance({0: 1, 1: 1}, {0: 4}) == pytest.approx(math.sqrt(0.3112781), abs=1e-6)


def test_values_moved_by_one_bin_are_that_far_in_deviations_of_the_reference() -> None:
    reference, current = number(100, 100, 0, 0), number(0, 100, 100, 0)

    assert reference.standard_deviation == pytest.approx(0.5)
    assert wasserstein_normalised(reference, current, NUMBER) == pytest.approx(1.0 / 0.5)
    assert wasserstein_normalised(reference, reference, NUMBER) == 0.0


def test_distance_of_names_is_the_share_that_must_change() -> None:
    assert wasserstein_normalised(name(60, 40, 0), name(45, 40, 15), NAME) == pytest.approx(0.15)


def test_null_shift_is_the_change_of_their_share() -> None:
    assert null_shift(number(8, 0, 0, 0, nulls=2), number(5, 0, 0, 0, nulls=5), NUMBER) == pytest.approx(0.3)


def test_range_shift_is_the_share_outside_of_where_the_reference_was() -> None:
    assert range_shift(number(0, 500, 500, 0), number(10, 500, 470, 20), NUMBER) == pytest.approx(0.03)
    assert range_shift(number(500, 0, 500, 0), number(0, 1_000, 0, 0), NUMBER) == 0.0, "a gap is inside the range"
    assert range_shift(name(10, 10, 0), name(10, 5, 5), NAME) == pytest.approx(0.25)
