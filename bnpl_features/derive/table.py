"""A group or a feature set -> the warehouse table that holds it, one partition a day."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.features.catalog import ALL_FEATURES, FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup
from bnpl_features.features.purchase import IDENTITY, PURCHASE_COLUMNS, TIMESTAMP_COLUMN

PARTITION_COLUMN = "partition_date"
CUSTOMER_COLUMN = "customer_id"


@dataclass(frozen=True)
class TableColumn:
    name: str
    type: str
    description: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A table partitioned by day on `partition_column` and clustered by `cluster_by`."""

    name: str
    description: str
    columns: tuple[TableColumn, ...]
    partition_column: str = PARTITION_COLUMN
    cluster_by: tuple[str, ...] = (CUSTOMER_COLUMN,)


def group_table(group: FeatureGroup) -> Table:
    return Table(group.table, group.meaning, _keys() + tuple(_column(feature) for feature in group.features))


def vectors_table(feature_set: FeatureSet = ALL_FEATURES) -> Table:
    """The one table that all sets are published from, and models train on; of its columns those of the set."""
    return Table(
        "feature_vectors",
        "All features side by side, one row a customer: every set is a selection of these columns.",
        _keys() + tuple(_column(feature) for feature in feature_set.features),
    )


def transactions_table() -> Table:
    """The table that `load` and `simulate` fill."""
    return Table(
        "transactions",
        "One row per BNPL purchase.",
        tuple(TableColumn(c.name, c.type.value, c.meaning, nullable=not c.required) for c in PURCHASE_COLUMNS),
        partition_column=TIMESTAMP_COLUMN,
        cluster_by=(IDENTITY[1],),
    )


def _keys() -> tuple[TableColumn, ...]:
    return (
        TableColumn(PARTITION_COLUMN, "DATE", "The day up to whose end purchases count.", nullable=False),
        TableColumn(CUSTOMER_COLUMN, "STRING", "The customer.", nullable=False),
    )


def _column(feature: Feature) -> TableColumn:
    return TableColumn(feature.name, feature.kind.value, f"{feature.meaning} [{feature.unit}]", feature.nullable)
