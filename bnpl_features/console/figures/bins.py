"""A profiled column in bins that a person can read: their labels, a sketch as shares of them, the bin of a value."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bnpl_features.derive.profiled import ProfiledColumn, bin_labels, edge_label
from bnpl_features.drift.sketch import Sketch
from bnpl_features.features.catalog import ALL_FEATURES
from bnpl_features.features.feature import Value

OTHER = "other"
"""The bin of names that the declaration does not have."""

_FEATURES = {feature.name: feature for feature in ALL_FEATURES.features}


@dataclass(frozen=True)
class Bin:
    """`share` is of the rows that have a value, 0..1."""

    label: str
    share: float


def column_labels(column: ProfiledColumn) -> tuple[str, ...]:
    """One a bin of the column's sketches, from 0 on."""
    if column.categories:
        return (*column.categories, OTHER)
    feature = _FEATURES.get(column.name)
    if feature is not None:
        return bin_labels(feature)
    marks = [edge_label(edge) for edge in column.edges]
    return (f"under {marks[0]}", *(f"{low}–{high}" for low, high in pairwise(marks)), f"from {marks[-1]}")


def shares(sketch: Sketch) -> tuple[float, ...]:
    """Of the rows with a value, by bin."""
    return tuple(rows / sketch.present if sketch.present else 0.0 for rows in sketch.histogram)


def bin_of(value: Value, column: ProfiledColumn) -> int | None:
    """The bin that holds a value; None for null."""
    if value is None:
        return None
    if isinstance(value, str):
        return column.categories.index(value) if value in column.categories else len(column.categories)
    return bisect_right(column.edges, value)


def held(*sides: Sequence[float], also: int | None = None) -> range:
    """The bins from the first that any side fills to the last, and `also`: what lies outside says nothing."""
    filled = [position for side in sides for position, share in enumerate(side) if share]
    filled += [] if also is None else [also]
    return range(min(filled), max(filled) + 1) if filled else range(0)
