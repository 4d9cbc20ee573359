"""A group -> the statement that profiles a partition: how many customers lie in which bin of each feature.

Bins are fixed by the declaration, not by the data, so that profiles of any two days can be compared or added up.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from bnpl_features.derive.query import Query
from bnpl_features.features.feature import Feature, FeatureGroup, Kind
from bnpl_features.features.storage import Scale

NULL_BIN = -1
_COUNT_EDGES = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 89.0, 144.0, 233.0)
_LINEAR_BINS = 10
_EDGES_PER_DECADE = 2
_SIGNED_EDGES = (-100.0, -10.0, -1.0, -0.1, -0.01, -0.001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)


def edges(feature: Feature) -> tuple[float, ...]:
    """Bin k holds edges[k-1] <= value < edges[k]; a name's bin is its position in the declared list."""
    storage = feature.storage
    if storage.scale is Scale.EXACT:
        return _COUNT_EDGES
    if storage.scale is Scale.HALF:
        return _SIGNED_EDGES
    if storage.scale is Scale.LINEAR:
        width = (storage.high - storage.low) / _LINEAR_BINS
        inner = tuple(storage.low + width * step for step in range(1, _LINEAR_BINS))
        # Shares pile up on their ends: exactly none and exactly all are bins of their own.
        return (storage.low + width * 1e-6, *inner, storage.high * (1 - 1e-9))
    decades = range(_EDGES_PER_DECADE * 40)
    steps = (storage.low * 10 ** (step / _EDGES_PER_DECADE) for step in decades)
    return tuple(float(f"{edge:.6g}") for edge in steps if edge <= storage.high)


def bin_labels(feature: Feature) -> tuple[str, ...]:
    """What each bin from 0 on holds, as a person reads it; of a range the end lies in the next bin."""
    storage = feature.storage
    if feature.kind is Kind.NAME:
        return storage.names
    if feature.kind is Kind.COUNT:
        whole = [0, *map(int, edges(feature))]
        spans = (str(low) if low + 1 == high else f"{low}–{high - 1}" for low, high in pairwise(whole))
        return (*spans, f"from {whole[-1]}")
    marks = [f"{edge:.3g}" for edge in edges(feature)]
    first, last = f"under {marks[0]}", f"from {marks[-1]}"
    if storage.scale is Scale.LINEAR:
        first, last = marks[0], marks[-1] = f"{storage.low:g}", f"{storage.high:g}"
    return (first, *(f"{low}–{high}" for low, high in pairwise(marks)), last)


def profile_query(group: FeatureGroup, partition: date) -> Query:
    """Rows (feature, bin, customers) of the group's partition; bin -1 counts nulls."""
    parts = [
        f"SELECT '{feature.name}' AS feature, {_bin(feature)} AS bin, COUNT(*) AS customers\n"
        f"FROM {group.table}\nWHERE partition_date = @partition_date\nGROUP BY bin"
        for feature in group.features
    ]
    return Query("\nUNION ALL\n".join(parts), {"partition_date": partition})


def _bin(feature: Feature) -> str:
    if feature.kind is Kind.NAME:
        conditions = [f"{feature.name} = '{name}'" for name in feature.storage.names]
    else:
        conditions = [f"{feature.name} < {edge!r}" for edge in edges(feature)]
    cases = " ".join(f"WHEN {condition} THEN {position}" for position, condition in enumerate(conditions))
    return f"CASE WHEN {feature.name} IS NULL THEN {NULL_BIN} {cases} ELSE {len(conditions)} END"
