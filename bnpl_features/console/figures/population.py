"""A customer's values among everybody's: the bin of each, and how many customers lie below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from bnpl_features.console.figures.bins import Bin, bin_of, column_labels, held, shares
from bnpl_features.derive.profile import ALL
from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.profiles import Segments, read_profiles
from bnpl_features.drift.sketch import Sketch
from bnpl_features.drift.subjects import SEGMENTS as BY_SEGMENT
from bnpl_features.errors import RelationMissing
from bnpl_features.features.feature import Value
from bnpl_features.features.segment import SEGMENT
from bnpl_features.warehouse.warehouse import Warehouse

_LABELS = {"asset": "console"}


@dataclass(frozen=True)
class Standing:
    """One value among the customers of a day.

    Attributes:
        bins: shares of everybody who has a value, from the first bin that is filled to the last.
        own: the position among `bins` of the customer's own; None where the value is null.
        below: share of everybody (0..1) whose value lies under it, straight inside its bin; None of names and nulls.
        below_in_segment: the same among the customers of the same segment; None where that is not known.
        nulls: share of everybody who has no value.
    """

    bins: tuple[Bin, ...]
    own: int | None
    below: float | None
    below_in_segment: float | None
    nulls: float


def population(
    warehouse: Warehouse, day: date, values: Mapping[str, Value], segment: str | None
) -> dict[str, Standing]:
    """Feature -> where its value stands on a day; empty where the day has no profile. Raises as `Warehouse.read`."""
    try:
        segments = read_profiles(warehouse, BY_SEGMENT, day, day, _LABELS).get(day, {})
    except RelationMissing:
        return {}
    everybody, own = segments.get(ALL, {}), _own(segments, segment)
    return {
        column.name: _standing(values[column.name], column, everybody[column.name], own.get(column.name))
        for column in BY_SEGMENT.columns
        if column.name in everybody and column.name in values
    }


def _own(segments: Segments, segment: str | None) -> Mapping[str, Sketch]:
    return segments.get(f"{SEGMENT}:{segment}", {}) if segment else {}


def _standing(value: Value, column: ProfiledColumn, everybody: Sketch, segment: Sketch | None) -> Standing:
    own, filled = bin_of(value, column), shares(everybody)
    shown = held(filled, also=own)
    labels = column_labels(column)
    return Standing(
        tuple(Bin(labels[position], filled[position]) for position in shown),
        None if own is None else own - shown.start,
        share_below(value, column, everybody),
        share_below(value, column, segment) if segment else None,
        everybody.null_share,
    )


def share_below(value: Value, column: ProfiledColumn, sketch: Sketch) -> float | None:
    """Share (0..1) of the values that lie under `value`: whole bins, and of its own as much as it has passed."""
    own = bin_of(value, column)
    if own is None or not isinstance(value, (int, float)) or not sketch.present:
        return None
    under = float(sum(sketch.histogram[:own]))
    low = column.edges[own - 1] if own else sketch.smallest
    high = column.edges[own] if own < len(column.edges) else sketch.largest
    if low is not None and high is not None and high > low:
        under += sketch.histogram[own] * min(max((value - low) / (high - low), 0.0), 1.0)
    return under / sketch.present
