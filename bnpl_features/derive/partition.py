"""Questions about one partition of a table: how many rows, how many customers, in how many groups."""

from __future__ import annotations

from datetime import date

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import CUSTOMER_COLUMN, PARTITION_COLUMN, Table
from bnpl_features.features.feature import FeatureGroup


def size_query(table: Table, partition: date) -> Query:
    """One row: `row_count` and the number of distinct `customers`."""
    return Query(
        f"SELECT COUNT(*) AS row_count, COUNT(DISTINCT {CUSTOMER_COLUMN}) AS customers\n"
        f"FROM {table.name}\nWHERE {PARTITION_COLUMN} = @partition_date",
        {"partition_date": partition},
    )


def coverage_query(groups: tuple[FeatureGroup, ...], partition: date) -> Query:
    """One row: `customers` in any group, and one column a group, the customers that it lacks."""
    union = "\n  UNION ALL\n".join(
        f"  SELECT {CUSTOMER_COLUMN}, '{group.name}' AS group_name FROM {group.table} "
        f"WHERE {PARTITION_COLUMN} = @partition_date"
        for group in groups
    )
    lacking = ",\n  ".join(f"COUNT(IF(in_{group.name} = 0, 1, NULL)) AS {group.name}" for group in groups)
    present = ",\n    ".join(f"COUNT(IF(group_name = '{group.name}', 1, NULL)) AS in_{group.name}" for group in groups)
    return Query(
        f"WITH members AS (\n{union}\n),\ncustomers AS (\n  SELECT\n    {CUSTOMER_COLUMN},\n    {present}\n"
        f"  FROM members\n  GROUP BY {CUSTOMER_COLUMN}\n)\n"
        f"SELECT\n  COUNT(*) AS customers,\n  {lacking}\nFROM customers",
        {"partition_date": partition},
    )
