"""A partition's profile beside those of the days before it: customers, nulls and distribution of each feature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from bnpl_features.derive.profile import NULL_BIN
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import profiles_table
from bnpl_features.drift.stability import Bins, population_stability_index
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.warehouse.warehouse import Labels, Warehouse


@dataclass(frozen=True)
class FeatureComparison:
    """Customers by bin on the day, and summed over the reference days."""

    current: Bins
    reference: Bins

    @property
    def stability_index(self) -> float:
        return population_stability_index(self.reference, self.current)

    @property
    def null_share(self) -> float:
        return _null_share(self.current)

    @property
    def reference_null_share(self) -> float:
        return _null_share(self.reference)


@dataclass(frozen=True)
class Comparison:
    """A group's partition beside the `reference_days` days before it that exist."""

    customers: int
    reference_customers: tuple[int, ...]
    features: Mapping[str, FeatureComparison]

    @property
    def has_reference(self) -> bool:
        return bool(self.reference_customers)

    @property
    def mean_reference_customers(self) -> float:
        return sum(self.reference_customers) / len(self.reference_customers) if self.reference_customers else 0.0


def compare(
    warehouse: Warehouse, group: FeatureGroup, partition: date, reference_days: int, labels: Labels
) -> Comparison:
    """Read the profiles of the partition and of up to `reference_days` days before it: a few hundred rows."""
    query = Query(
        f"SELECT partition_date = @partition_date AS is_current, partition_date, feature, bin, customers\n"
        f"FROM {profiles_table(group).name}\n"
        "WHERE partition_date BETWEEN DATE_SUB(@partition_date, INTERVAL @reference_days DAY) AND @partition_date",
        {"partition_date": partition, "reference_days": reference_days},
    )
    bins: dict[str, tuple[dict[int, int], dict[int, int]]] = {f.name: ({}, {}) for f in group.features}
    seen: dict[date, Counter[str]] = {}
    for batch in warehouse.read(query, labels):
        for row in batch.to_pylist():
            if row["feature"] not in bins:
                continue
            side = bins[row["feature"]][0 if row["is_current"] else 1]
            side[row["bin"]] = side.get(row["bin"], 0) + row["customers"]
            seen.setdefault(row["partition_date"], Counter())[row["feature"]] += row["customers"]
    # Every feature counts every customer, but for one that was added after that day.
    customers = {day: max(by_feature.values()) for day, by_feature in seen.items()}
    current = customers.pop(partition, 0)
    return Comparison(
        current,
        tuple(customers[day] for day in sorted(customers)),
        {name: FeatureComparison(now, before) for name, (now, before) in bins.items()},
    )


def _null_share(bins: Bins) -> float:
    total = sum(bins.values())
    return bins.get(NULL_BIN, 0) / total if total else 0.0
