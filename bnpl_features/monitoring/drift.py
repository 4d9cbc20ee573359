"""Drift of the newest day that is computed, as metrics by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import profiles_table
from bnpl_features.drift.comparison import compare
from bnpl_features.drift.stability import Severity
from bnpl_features.errors import RelationMissing
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.monitoring.store import end_of
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label
from bnpl_features.warehouse.warehouse import Warehouse

_LABELS = {"asset": "metrics"}


def drift_families(
    warehouse: Warehouse, groups: Sequence[FeatureGroup], reference_days: int, judge: Callable[[str, float], Severity]
) -> Iterator[Family]:
    """`judge` says what an index of a feature means. Raises as `Warehouse.read` does; a group that was never computed
    has no samples."""
    largest: dict[tuple[object, ...], float] = {}
    features: dict[tuple[object, ...], float] = {}
    computed: dict[tuple[object, ...], float] = {}
    for group in groups:
        newest = _newest(warehouse, group)
        if newest is None:
            continue
        found = compare(warehouse, group, newest, reference_days, _LABELS).features
        indices = {name: one.stability_index for name, one in found.items()}
        counts = Counter(judge(name, index) for name, index in indices.items())
        computed[group.name,] = end_of(newest)
        largest[group.name,] = max(indices.values())
        features |= {(group.name, level.value): counts[level] for level in Severity}
    yield by_label(catalogue.COMPUTED_AS_OF, computed)
    yield by_label(catalogue.DRIFT_LARGEST_INDEX, largest)
    yield by_label(catalogue.DRIFT_FEATURES, features)


def _newest(warehouse: Warehouse, group: FeatureGroup) -> date | None:
    """By the profiles, of which a day has some hundred rows."""
    query = Query(f"SELECT MAX(partition_date) AS newest FROM {profiles_table(group).name}", {})
    try:
        rows = [row for batch in warehouse.read(query, _LABELS) for row in batch.to_pylist()]
    except RelationMissing:
        return None
    newest: date | None = rows[0]["newest"]
    return newest
