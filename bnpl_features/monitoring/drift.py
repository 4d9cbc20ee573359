"""Drift of the newest day that is computed, as metrics by group: the verdicts that the checks come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from bnpl_features.derive.profiled import TRANSACTIONS, Subject
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN
from bnpl_features.drift.examination import Rules, examine_day, verdicts_of
from bnpl_features.drift.findings import Severity
from bnpl_features.errors import RelationMissing
from bnpl_features.monitoring.store import end_of
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label
from bnpl_features.warehouse.warehouse import Warehouse

_LABELS = {"asset": "metrics"}


def drift_families(warehouse: Warehouse, groups: Sequence[Subject], rules: Rules) -> Iterator[Family]:
    """Raises as `Warehouse.read` does; a group that was never computed has no samples."""
    largest: dict[tuple[object, ...], float] = {}
    features: dict[tuple[object, ...], float] = {}
    computed: dict[tuple[object, ...], float] = {}
    newest = {group.name: day for group in groups if (day := _newest(warehouse, group)) is not None}
    for day in sorted(set(newest.values())):
        # The purchases too: features of a sick source are judged by it.
        of_day = [group for group in groups if newest.get(group.name) == day]
        verdicts = verdicts_of(examine_day(warehouse, day, rules, _LABELS, (*of_day, TRANSACTIONS)), rules)
        for name, verdict in verdicts.items():
            if name not in newest:
                continue
            computed[name,] = end_of(day)
            largest[name,] = verdict.largest_index
            features |= {
                (name, level.value): len(verdict.drifted_features) if verdict.severity is level else 0
                for level in (Severity.WARN, Severity.ERROR)
            }
    yield by_label(catalogue.COMPUTED_AS_OF, computed)
    yield by_label(catalogue.DRIFT_LARGEST_INDEX, largest)
    yield by_label(catalogue.DRIFT_FEATURES, features)


def _newest(warehouse: Warehouse, group: Subject) -> date | None:
    """By the profiles, of which a day has some hundred rows."""
    query = Query(f"SELECT MAX({PARTITION_COLUMN}) AS newest FROM {group.table}", {})
    try:
        rows = [row for batch in warehouse.read(query, _LABELS) for row in batch.to_pylist()]
    except RelationMissing:
        return None
    newest: date | None = rows[0]["newest"]
    return newest
