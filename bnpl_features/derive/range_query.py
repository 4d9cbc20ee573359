"""A group or a table of vectors over a range of partitions -> one statement, which reads each day of purchases once.

Every purchase is put beside each partition whose look-back it lies in; from there on the statement is that of one
partition (`query.py`), grouped by partition as well as by customer. A declaration says nothing of this: in its SQL
`customer_id` stands where rows are told apart by customer, and `@partition_date` for the day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from bnpl_features.derive.query import (
    SOURCE,
    Query,
    aggregate,
    feature_columns,
    or_empty,
    purchase_columns,
    side_by_side,
    vector_columns,
    with_relations,
)
from bnpl_features.derive.table import PARTITION_COLUMN
from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import HISTORY, DeclarationError, FeatureGroup, Window
from bnpl_features.features.purchase import COMPLETED

_CUSTOMER = re.compile(r"(?<![\w.])customer_id\b(?! *[=<>])")
_QUALIFIED = re.compile(r"\.customer_id\b|\bcustomer_id *[=<>]")


def group_range_query(group: FeatureGroup, first: date, last: date, source: str = SOURCE) -> Query:
    """One row a partition and customer: partition_date, customer_id, then the group's features.

    Partition by partition the rows are those of `group_query`.
    """
    if group.of:
        return _joined(group.of, feature_columns(group), first, last)
    relations = [f"purchases AS (\n{_purchases(group, source)}\n)"]
    if group.rows:
        relations.append(f"feature_rows AS ({_by_partition(group.rows, group)})")
    rows = "feature_rows" if group.rows else "purchases"
    selected = ",\n  ".join(
        f"{_by_partition(aggregate(feature, group), group)} AS {feature.name}" for feature in group.features
    )
    keys = f"{PARTITION_COLUMN}, customer_id"
    features = f"SELECT\n  {keys},\n  {selected}\nFROM {rows}\nGROUP BY {keys}"
    parameters = {"first_partition": first, "last_partition": last}
    if group.look_back == HISTORY:
        return Query(f"{with_relations(relations)}\n{features}", parameters)
    customers = f"  SELECT DISTINCT {keys}\n{_spread(source, HISTORY)}"
    relations += [f"customers AS (\n{customers}\n)", f"features AS (\n{features}\n)"]
    columns = ",\n  ".join(or_empty(feature) for feature in group.features)
    return Query(
        f"{with_relations(relations)}\nSELECT\n  customers.{PARTITION_COLUMN},\n  customers.customer_id,\n  {columns}\n"
        f"FROM customers\nLEFT JOIN features\n  ON features.customer_id = customers.customer_id"
        f" AND features.{PARTITION_COLUMN} = customers.{PARTITION_COLUMN}",
        parameters,
    )


def vectors_range_query(feature_set: FeatureSet, first: date, last: date) -> Query:
    """The rows of `vectors_query` of each partition, with their partition_date."""
    return _joined(feature_set.groups, vector_columns(feature_set), first, last)


def _joined(groups: Sequence[FeatureGroup], columns: list[str], first: date, last: date) -> Query:
    start = groups[0].name
    day = f"{start}.{PARTITION_COLUMN}"
    joined = side_by_side(groups, [day, f"{start}.customer_id", *columns], day)
    return Query(
        f"{joined}\nWHERE {day} BETWEEN @first_partition AND @last_partition",
        {"first_partition": first, "last_partition": last},
    )


def _purchases(group: FeatureGroup, source: str) -> str:
    _, *others = purchase_columns(group)
    columns = [PARTITION_COLUMN, "customer_id", *(_by_partition(one, group) for one in others)]
    return "  SELECT\n    " + ",\n    ".join(columns) + f"\n{_spread(source, group.look_back)}"


def _spread(source: str, window: Window) -> str:
    """The completed purchases of the range, each beside every partition whose window it lies in.

    The first two conditions hold for the range as a whole, so that the warehouse skips other days.
    """
    before = f"INTERVAL {window.days - 1} DAY"
    return (
        f"  FROM {source}\n"
        f"  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(@first_partition, @last_partition)) AS {PARTITION_COLUMN}\n"
        f"  WHERE transaction_timestamp >= TIMESTAMP(DATE_SUB(@first_partition, {before}))\n"
        "    AND transaction_timestamp < TIMESTAMP(DATE_ADD(@last_partition, INTERVAL 1 DAY))\n"
        f"    AND transaction_timestamp >= TIMESTAMP(DATE_SUB({PARTITION_COLUMN}, {before}))\n"
        f"    AND transaction_timestamp < TIMESTAMP(DATE_ADD({PARTITION_COLUMN}, INTERVAL 1 DAY))\n"
        f"    AND status = '{COMPLETED}'"
    )


def _by_partition(sql: str, group: FeatureGroup) -> str:
    """The declaration's SQL, told apart by partition as well; raises `DeclarationError` where that cannot be seen."""
    if _QUALIFIED.search(sql):
        raise DeclarationError(
            f"group {group.name}: its SQL compares or qualifies customer_id; let it stand in lists only "
            "(SELECT, GROUP BY, PARTITION BY), so that a range of partitions can be computed at once"
        )
    return _CUSTOMER.sub(f"{PARTITION_COLUMN}, customer_id", sql).replace("@partition_date", PARTITION_COLUMN)
