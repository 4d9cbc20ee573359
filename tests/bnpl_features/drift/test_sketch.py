"""Sketches add up, and quantiles can be read from them."""

from __future__ import annotations

import numpy as np
import pytest

from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.sketch import Sketch, row_of, sketch_of

COLUMN = ProfiledColumn("x", "x", edges=tuple(float(edge) for edge in range(1, 20)))


def sketch(values: np.ndarray, nulls: int = 0) -> Sketch:
    counts = np.bincount(np.searchsorted(COLUMN.edges, values, "right"), minlength=len(COLUMN.edges) + 1)
    return Sketch(
        values.size + nulls,
        nulls,
        tuple(counts.tolist()),
        float(values.min()),
        float(values.max()),
        float(values.sum()),
        float((values**2).sum()),
    )


def test_the_sum_of_two_days_is_the_sketch_of_both() -> None:
    random = np.random.default_rng(1)
    one, other = random.gamma(4.0, 2.0, 500), random.gamma(2.0, 3.0, 300)

    together, both = sketch(one, 5) + sketch(other, 7), sketch(np.concatenate([one, other]), 12)

    assert together.bins == both.bins
    assert (together.smallest, together.largest, together.nulls) == (both.smallest, both.largest, 12)
    assert together.mean == pytest.approx(both.mean)
    assert together.standard_deviation == pytest.approx(np.concatenate([one, other]).std())


@pytest.mark.parametrize("share", [0.0, 0.05, 0.25, 0.5, 0.9, 1.0])
def test_a_quantile_lies_within_a_bin_of_the_values_own(share: float) -> None:
    values = np.random.default_rng(2).gamma(4.0, 2.0, 5_000)

    found = sketch(values).quantile(share, COLUMN)

    assert found == pytest.approx(np.quantile(values, share), abs=1.0 if share < 1 else 1e-9)


def test_names_and_nothing_have_no_quantiles() -> None:
    names = ProfiledColumn("kind", "kind", categories=("a",))

    assert Sketch(4, 0, (3, 1)).quantile(0.5, names) is None
    assert Sketch(4, 4, (0,) * 20).quantile(0.5, COLUMN) is None


def test_one_value_is_constant_whether_number_or_name() -> None:
    assert Sketch(9, 2, (0, 7, 0), 1.5, 1.5, 10.5, 15.75).is_constant
    assert not Sketch(9, 2, (0, 7, 0), 1.2, 1.5).is_constant
    assert Sketch(9, 2, (0, 7, 0)).is_constant
    assert not Sketch(9, 2, (1, 6, 0)).is_constant


def test_a_sum_that_is_no_number_does_not_spoil_the_sketch() -> None:
    row = row_of(Sketch(2, 0, (1, 1) + (0,) * 18, 1.0, float("nan")), COLUMN)

    found = sketch_of(row | {"total": float("nan"), "total_of_squares": float("inf")}, COLUMN)

    assert found is not None
    assert (found.total, found.total_of_squares) == (0.0, 0.0)
    assert (found + found).largest is None


def test_bins_of_an_older_declaration_do_not_fit() -> None:
    older = ProfiledColumn("x", "x", edges=(1.0,))

    assert sketch_of(row_of(Sketch(1, 0, (1, 0), 0.5, 0.5, 0.5, 0.25), older), COLUMN) is None


@pytest.mark.parametrize("column", [COLUMN, ProfiledColumn("kind", "kind", categories=("a", "b"))])
def test_a_sketch_comes_back_from_its_row(column: ProfiledColumn) -> None:
    bins = len(column.categories or column.edges) + 1
    sketch = Sketch(bins * 2 + 3, 3, (2,) * bins, 0.5, 19.5, 40.0, 900.0)

    assert sketch_of(row_of(sketch, column), column) == sketch
