"""A subject -> the statement that profiles a day of it: one pass over the day, one row a segment and column.

A row is a sketch that can be added to another of the same column: rows, nulls, extremes, moments and a histogram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from bnpl_features.derive.profiled import ProfiledColumn, Subject
from bnpl_features.derive.query import Parameter, Query
from bnpl_features.derive.table import PARTITION_COLUMN, Table, TableColumn

ALL = "all"
"""The segment of a subject that is not divided."""

SEPARATOR = "|"
"""Between the parts of a segment's name, one a division: `active|over 50 %`."""


def profiles_table(subject: Subject) -> Table:
    """A sketch of each column of the subject, by day and segment."""
    return Table(
        subject.table,
        f"How the values of {subject.name} were distributed, by day and segment.",
        (
            TableColumn(PARTITION_COLUMN, "DATE", "The day.", nullable=False),
            TableColumn("segment", "STRING", "The part of each division, or all.", nullable=False),
            TableColumn("feature", "STRING", "The column.", nullable=False),
            TableColumn("row_count", "INT64", "Rows, nulls among them.", nullable=False),
            TableColumn("nulls", "INT64", "Rows without a value.", nullable=False),
            TableColumn("smallest", "FLOAT64", "The least value; null for names."),
            TableColumn("largest", "FLOAT64", "The greatest value; null for names."),
            TableColumn("total", "FLOAT64", "Sum of the values; null for names."),
            TableColumn("total_of_squares", "FLOAT64", "Sum of their squares; null for names."),
            TableColumn("counts", "STRING", "JSON list: values under each edge, or of each name.", nullable=False),
        ),
        cluster_by=("feature",),
    )


def profile_query(
    subject: Subject, partition: date, relation: str = "", parameters: Mapping[str, Parameter] | None = None
) -> Query:
    """The rows of `profiles_table(subject)` for a day; `relation` stands in for the subject's own."""
    sql = _sketches(subject, relation or subject.relation, subject.where, ("segment",))
    return Query(sql, {"partition_date": partition, **(parameters or {})})


def profile_range_query(subject: Subject, first: date, last: date) -> Query:
    """The rows of `profile_query` of each partition of a range, with their partition_date; of a table by partition."""
    where = f"{PARTITION_COLUMN} BETWEEN @first_partition AND @last_partition"
    sql = _sketches(subject, subject.relation, where, (PARTITION_COLUMN, "segment"))
    return Query(sql, {"first_partition": first, "last_partition": last})


def _sketches(subject: Subject, relation: str, where: str, keys: Sequence[str]) -> str:
    """Sketches by `keys`.

    Counts under each edge are conditional aggregates, so the warehouse reads the rows once, however many columns there
    are; the list of sketches is made of the one row that is left of each segment.
    """
    names = f" || '{SEPARATOR}' || ".join(f"COALESCE({sql}, 'unknown')" for sql in subject.segments.values())
    segment = names or f"'{ALL}'"
    selected = [*(key for key in keys if key != "segment"), f"{segment} AS segment"]
    selected += [f"{column.sql} AS v{n}" for n, column in enumerate(subject.columns)]
    counts = ",\n    ".join(aggregate for n, column in enumerate(subject.columns) for aggregate in _counts(n, column))
    rows = ",\n    ".join(_row(n, column) for n, column in enumerate(subject.columns))
    by = ", ".join(keys)
    return f"""WITH day_rows AS (
  SELECT {", ".join(selected)}
  FROM {relation}
  WHERE {where}
),
counted AS (
  SELECT
    {by},
    COUNT(*) AS row_count,
    {counts}
  FROM day_rows
  GROUP BY {by}
)
SELECT
  {", ".join(f"counted.{key}" for key in keys)},
  sketch.feature,
  counted.row_count,
  counted.row_count - sketch.present AS nulls,
  sketch.smallest,
  sketch.largest,
  sketch.total,
  sketch.total_of_squares,
  sketch.counts
FROM counted
CROSS JOIN UNNEST([
    {rows}
  ]) AS sketch"""


def _counts(n: int, column: ProfiledColumn) -> list[str]:
    """Aggregates of one column. Counts stand in one list: a statement of thousands of names takes seconds to parse."""
    if column.categories:
        listed = [f"COUNTIF(v{n} = '{name}')" for name in column.categories]
    else:
        listed = [f"COUNTIF(v{n} < {edge!r})" for edge in column.edges]
    counts = [f"COUNT(v{n}) AS n{n}", f"TO_JSON_STRING([{', '.join(listed)}]) AS c{n}"]
    if column.categories:
        return counts
    number = f"CAST(v{n} AS FLOAT64)"
    return [
        *counts,
        f"MIN({number}) AS lo{n}",
        f"MAX({number}) AS hi{n}",
        f"SUM({number}) AS t{n}",
        f"SUM({number} * v{n}) AS q{n}",
    ]


def _row(n: int, column: ProfiledColumn) -> str:
    """One STRUCT of the sketches."""
    none = "CAST(NULL AS FLOAT64)"
    smallest, largest, total, squares = (none,) * 4 if column.categories else (f"lo{n}", f"hi{n}", f"t{n}", f"q{n}")
    return (
        f"STRUCT('{column.name}' AS feature, n{n} AS present, {smallest} AS smallest, {largest} AS largest, "
        f"{total} AS total, {squares} AS total_of_squares, c{n} AS counts)"
    )
