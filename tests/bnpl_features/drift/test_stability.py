"""The population stability index, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.drift.stability import SMALLEST_SHARE, Severity, population_stability_index, severity

BINS = st.dictionaries(st.integers(-1, 12), st.integers(0, 10_000), max_size=8)


def test_the_index_is_the_sum_over_bins_of_difference_times_log_ratio() -> None:
    # (0.5 - 0.4) ln(0.5/0.4) + (0.3 - 0.4) ln(0.3/0.4) + (0.2 - 0.2) ln 1 = 0.0223144 + 0.0287682
    index = population_stability_index({0: 40, 1: 40, 2: 20}, {0: 500, 1: 300, 2: 200})

    assert index == pytest.approx(0.0510826, abs=1e-7)


def test_the_same_shares_give_zero_whatever_the_counts() -> None:
    assert population_stability_index({0: 1, 1: 3}, {0: 1_000, 1: 3_000}) == 0.0


@pytest.mark.parametrize(("reference", "current"), [({}, {0: 5}), ({0: 5}, {}), ({0: 0}, {0: 5}), ({}, {})])
def test_nothing_to_compare_with_gives_zero(reference: dict[int, int], current: dict[int, int]) -> None:
    assert population_stability_index(reference, current) == 0.0


def test_a_bin_that_is_empty_on_one_side_gives_a_finite_index() -> None:
    index = population_stability_index({0: 100}, {1: 100})

    assert index == pytest.approx(2 * (1 - SMALLEST_SHARE) * math.log(1 / SMALLEST_SHARE))


def test_a_rise_of_nulls_counts_as_drift() -> None:
    assert population_stability_index({-1: 0, 0: 100}, {-1: 50, 0: 50}) > 0.25


@given(BINS, BINS)
def test_the_index_is_symmetric_and_never_negative(one: dict[int, int], other: dict[int, int]) -> None:
    index = population_stability_index(one, other)

    assert index >= 0.0
    assert math.isfinite(index)
    assert index == pytest.approx(population_stability_index(other, one))


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0.0, Severity.STABLE),
        (0.0999, Severity.STABLE),
        (0.1, Severity.WARN),
        (0.2499, Severity.WARN),
        (0.25, Severity.ERROR),
        (9.0, Severity.ERROR),
    ],
)
def test_thresholds_belong_to_the_worse_severity(index: float, expected: Severity) -> None:
    assert severity(index, warn=0.1, error=0.25) is expected


def test_equal_thresholds_leave_no_room_for_a_warning() -> None:
    assert severity(0.2, warn=0.2, error=0.2) is Severity.ERROR
