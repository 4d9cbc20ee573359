"""A column of one day, or of many, in a few numbers: they add up, and a distribution can be read from them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from bnpl_features.derive.profiled import ProfiledColumn

NULL_BIN = -1
Bins = Mapping[int, int]
"""Rows by bin; bin -1 counts nulls."""


@dataclass(frozen=True)
class Sketch:
    """Rows, nulls, extremes, moments and a histogram over the stable bins; the first four are of numbers only."""

    row_count: int
    nulls: int
    histogram: tuple[int, ...]
    smallest: float | None = None
    largest: float | None = None
    total: float = 0.0
    total_of_squares: float = 0.0

    def __add__(self, other: Sketch) -> Sketch:
        """The sketch of both sets of rows together."""
        return Sketch(
            self.row_count + other.row_count,
            self.nulls + other.nulls,
            tuple(a + b for a, b in zip(self.histogram, other.histogram, strict=True)),
            _extreme(min, self.smallest, other.smallest),
            _extreme(max, self.largest, other.largest),
            self.total + other.total,
            self.total_of_squares + other.total_of_squares,
        )

    @property
    def present(self) -> int:
        return self.row_count - self.nulls

    @property
    def null_share(self) -> float:
        return self.nulls / self.row_count if self.row_count else 0.0

    @property
    def mean(self) -> float:
        return self.total / self.present if self.present else 0.0

    @property
    def standard_deviation(self) -> float:
        """Of the values as a whole population, from the moments."""
        if not self.present:
            return 0.0
        return math.sqrt(max(self.total_of_squares / self.present - self.mean**2, 0.0))

    @property
    def bins(self) -> Bins:
        """The bins that hold rows, nulls among them."""
        held = {position: rows for position, rows in enumerate(self.histogram) if rows}
        return held | ({NULL_BIN: self.nulls} if self.nulls else {})

    @property
    def is_constant(self) -> bool:
        """Whether all values are one: by the extremes of a number, by the bin of a name."""
        if self.smallest is not None and self.largest is not None:
            return self.smallest == self.largest
        return self.present > 0 and max(self.histogram) == self.present

    def quantile(self, share: float, column: ProfiledColumn) -> float | None:
        """The value that `share` (0..1) of the values do not exceed, linear inside a bin; None of names or nothing."""
        if column.categories or not self.present or self.smallest is None or self.largest is None:
            return None
        wanted, below = share * self.present, 0
        for position, rows in enumerate(self.histogram):
            if rows and below + rows >= wanted:
                low, high = self._bounds(position, column)
                return low + (high - low) * (wanted - below) / rows
            below += rows
        return self.largest

    def _bounds(self, position: int, column: ProfiledColumn) -> tuple[float, float]:
        assert self.smallest is not None
        assert self.largest is not None
        low = max(column.edges[position - 1], self.smallest) if position else self.smallest
        high = min(column.edges[position], self.largest) if position < len(column.edges) else self.largest
        return low, max(low, high)


def sketch_of(row: Mapping[str, Any], column: ProfiledColumn) -> Sketch | None:
    """From a row of a profile table; None where its bins are those of an older declaration.

    Sums that are no numbers (a NaN among the values) count as 0.
    """
    counts = [count or 0 for count in json.loads(row["counts"])]
    if len(counts) != len(column.categories or column.edges):
        return None
    present = row["row_count"] - row["nulls"]
    if column.categories:
        histogram = [*counts, present - sum(counts)]
    else:
        histogram = [upper - lower for lower, upper in pairwise([0, *counts, present])]
    return Sketch(
        row["row_count"],
        row["nulls"],
        tuple(histogram),
        row["smallest"],
        row["largest"],
        _finite(row["total"]),
        _finite(row["total_of_squares"]),
    )


def row_of(sketch: Sketch, column: ProfiledColumn) -> dict[str, Any]:
    """The row of a profile table that `sketch_of` reads."""
    listed = sketch.histogram[:-1] if column.categories else list(accumulate(sketch.histogram))[:-1]
    return {
        "row_count": sketch.row_count,
        "nulls": sketch.nulls,
        "smallest": sketch.smallest,
        "largest": sketch.largest,
        "total": sketch.total,
        "total_of_squares": sketch.total_of_squares,
        "counts": json.dumps(list(listed)),
    }


def _extreme(choose: Any, one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None and not math.isnan(value)]
    return choose(known) if known else None


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0
