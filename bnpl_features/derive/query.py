"""A group or a feature set -> the BigQuery statement that computes it, with its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import HISTORY, Feature, FeatureGroup, Window
from bnpl_features.features.purchase import COMPLETED, PURCHASE_COLUMNS, ColumnType

Parameter = date | int | float | str

SOURCE = "transactions"
"""The canonical relation; a user's own table takes its place through `warehouse.transactions`."""

PARTITION_PARAMETER_NOTE = (
    "A partition D is a UTC date: it sees completed purchases up to the end of D, and of their outcomes only what was "
    "known by then. A window of n days is the n dates up to and including D."
)

_CAST = (ColumnType.FLOAT64, ColumnType.INT64)


@dataclass(frozen=True)
class Query:
    """One statement in BigQuery's dialect and the values of its `@named` parameters."""

    sql: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def group_query(group: FeatureGroup, partition: date, source: str = SOURCE) -> Query:
    """One row a customer with a completed purchase in the look-back: customer_id, then the group's features.

    `source` is the relation, or the parenthesised query, that yields the canonical columns.
    """
    if group.of:
        return _of_features(group, partition)
    relations = [f"purchases AS (\n{_purchases(group, source)}\n)"]
    if group.rows:
        relations.append(f"feature_rows AS ({group.rows})")
    rows = "feature_rows" if group.rows else "purchases"
    covers_history = group.look_back == HISTORY
    selected = ",\n  ".join(f"{aggregate(feature, group)} AS {feature.name}" for feature in group.features)
    features = f"SELECT\n  customer_id,\n  {selected}\nFROM {rows}\nGROUP BY customer_id"
    if covers_history:
        return Query(f"{with_relations(relations)}\n{features}", {"partition_date": partition})
    relations += [f"customers AS (\n{_customers(source)}\n)", f"features AS (\n{features}\n)"]
    columns = ",\n  ".join(or_empty(feature) for feature in group.features)
    return Query(
        f"{with_relations(relations)}\nSELECT\n  customers.customer_id,\n  {columns}\n"
        "FROM customers\nLEFT JOIN features ON features.customer_id = customers.customer_id",
        {"partition_date": partition},
    )


def vectors_query(feature_set: FeatureSet, partition: date) -> Query:
    """One row a customer of the set's first group: customer_id, then every feature in the set's order."""
    first = feature_set.groups[0].name
    columns = [f"{first}.customer_id", *vector_columns(feature_set)]
    joined = side_by_side(feature_set.groups, columns, "@partition_date")
    return Query(f"{joined}\nWHERE {first}.partition_date = @partition_date", {"partition_date": partition})


def vector_columns(feature_set: FeatureSet) -> list[str]:
    """The set's features in order, each of its group's table."""
    group_of = {feature.name: group.name for group in feature_set.groups for feature in group.features}
    return [f"{group_of[feature.name]}.{feature.name}" for feature in feature_set.features]


def feature_columns(group: FeatureGroup) -> list[str]:
    """The features of a group that is computed of others' features."""
    return [f"CAST({feature.sql} AS {feature.kind}) AS {feature.name}" for feature in group.features]


def side_by_side(groups: Sequence[FeatureGroup], columns: Sequence[str], day: str) -> str:
    """Columns of the groups' tables joined by customer: those of `day`, an expression."""
    first, *others = groups
    listed = ",\n  ".join(columns)
    joins = "".join(
        f"\nLEFT JOIN {group.table} AS {group.name}\n"
        f"  ON {group.name}.customer_id = {first.name}.customer_id AND {group.name}.partition_date = {day}"
        for group in others
    )
    return f"SELECT\n  {listed}\nFROM {first.table} AS {first.name}{joins}"


def _of_features(group: FeatureGroup, partition: date) -> Query:
    first = group.of[0].name
    joined = side_by_side(group.of, [f"{first}.customer_id", *feature_columns(group)], "@partition_date")
    return Query(f"{joined}\nWHERE {first}.partition_date = @partition_date", {"partition_date": partition})


def with_relations(relations: list[str]) -> str:
    return "WITH " + ",\n".join(relations)


def _purchases(group: FeatureGroup, source: str) -> str:
    columns = ",\n    ".join(purchase_columns(group))
    return f"  SELECT\n    {columns}\n  FROM {source}\n" + _inside(group.look_back)


def purchase_columns(group: FeatureGroup) -> list[str]:
    """The columns of the group's purchases: the customer, then what its SQL mentions, then its own."""
    mentioned = set(re.findall(r"[a-z_][a-z0-9_]*", " ".join([group.rows, *group.purchase.values(), *_sql_of(group)])))
    columns = ["customer_id", "DATE_DIFF(@partition_date, DATE(transaction_timestamp), DAY) AS days_ago"]
    columns += [
        f"CAST({column.name} AS {column.type}) AS {column.name}" if column.type in _CAST else column.name
        for column in PURCHASE_COLUMNS
        if column.name in mentioned and column.name != "customer_id"
    ]
    return columns + [f"{sql} AS {name}" for name, sql in group.purchase.items()]


def _customers(source: str) -> str:
    return f"  SELECT DISTINCT customer_id\n  FROM {source}\n{_inside(HISTORY)}"


def _inside(window: Window) -> str:
    """The completed purchases of the window; comparing the bare timestamp lets the warehouse skip other days."""
    return (
        f"  WHERE transaction_timestamp >= TIMESTAMP(DATE_SUB(@partition_date, INTERVAL {window.days - 1} DAY))\n"
        "    AND transaction_timestamp < TIMESTAMP(DATE_ADD(@partition_date, INTERVAL 1 DAY))\n"
        f"    AND status = '{COMPLETED}'"
    )


def aggregate(feature: Feature, group: FeatureGroup) -> str:
    """The feature's SQL with each `{column}` limited to the window, as the declared type."""
    sql = feature.sql
    for column in feature.windowed_columns:
        inside = f"IF(days_ago < {feature.window.days}, {column}, NULL)"
        sql = sql.replace("{" + column + "}", column if feature.window == group.look_back else inside)
    return f"CAST({sql} AS {feature.kind})"


def or_empty(feature: Feature) -> str:
    if feature.empty is None:
        return f"features.{feature.name}"
    return f"COALESCE(features.{feature.name}, {feature.empty}) AS {feature.name}"


def _sql_of(group: FeatureGroup) -> list[str]:
    return [feature.sql for feature in group.features]
