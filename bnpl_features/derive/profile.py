"""A subject -> the statement that profiles a day of it: one pass over the day, one row a segment and column.

A row is a sketch that can be added to another of the same column: rows, nulls, extremes, moments and a histogram.
"""

from __future__ import annotations

from collections.abc import Mapping
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
            TableColumn("histogram", "STRING", "Values by bin, as a JSON list; edges are the code's.", nullable=False),
        ),
        cluster_by=("feature",),
    )


def profile_query(
    subject: Subject, partition: date, relation: str = "", parameters: Mapping[str, Parameter] | None = None
) -> Query:
    """The rows of `profiles_table(subject)` for a day; `relation` stands in for the subject's own.

    Counts below each edge are conditional aggregates, so the warehouse reads the day once, however many columns there
    are; histograms are their differences, taken from one row a segment.
    """
    segment = f" || '{SEPARATOR}' || ".join(f"COALESCE({sql}, 'unknown')" for sql in subject.segments.values())
    counts = ",\n    ".join(aggregate for n, column in enumerate(subject.columns) for aggregate in _counts(n, column))
    values = ", ".join(f"{column.sql} AS v{n}" for n, column in enumerate(subject.columns))
    rows = ",\n    ".join(_row(n, column) for n, column in enumerate(subject.columns))
    return Query(
        f"""WITH day_rows AS (
  SELECT {segment or f"'{ALL}'"} AS segment, {values}
  FROM {relation or subject.relation}
  WHERE {subject.where}
),
counted AS (
  SELECT
    segment,
    COUNT(*) AS row_count,
    {counts}
  FROM day_rows
  GROUP BY segment
)
SELECT
  counted.segment,
  sketch.feature,
  counted.row_count,
  counted.row_count - sketch.present AS nulls,
  sketch.smallest,
  sketch.largest,
  sketch.total,
  sketch.total_of_squares,
  sketch.histogram
FROM counted
CROSS JOIN UNNEST([
    {rows}
  ]) AS sketch""",
        {"partition_date": partition, **(parameters or {})},
    )


def _counts(n: int, column: ProfiledColumn) -> list[str]:
    counts = [f"COUNT(v{n}) AS c{n}"]
    if column.categories:
        return counts + [
            f"COALESCE(COUNTIF(v{n} = '{name}'), 0) AS c{n}_{k}" for k, name in enumerate(column.categories)
        ]
    return [
        *counts,
        *(f"COALESCE(COUNTIF(v{n} < {edge!r}), 0) AS c{n}_{k}" for k, edge in enumerate(column.edges)),
        f"MIN(v{n}) AS lo{n}",
        f"MAX(v{n}) AS hi{n}",
        f"SUM(CAST(v{n} AS FLOAT64)) AS t{n}",
        f"SUM(CAST(v{n} AS FLOAT64) * v{n}) AS q{n}",
    ]


def _row(n: int, column: ProfiledColumn) -> str:
    """One STRUCT; a number's counts are cumulative, a name's are not and the rest are other names."""
    last = len(column.categories or column.edges) - 1
    if column.categories:
        bins = [f"c{n}_{k}" for k in range(last + 1)]
        bins.append(f"c{n} - " + " - ".join(bins))
    else:
        bins = [f"c{n}_0", *(f"c{n}_{k} - c{n}_{k - 1}" for k in range(1, last + 1)), f"c{n} - c{n}_{last}"]
    histogram = ", ',', ".join(f"CAST(CAST({one} AS INT64) AS STRING)" for one in bins)
    numbers = ("CAST(NULL AS FLOAT64)",) * 4 if column.categories else (f"lo{n}", f"hi{n}", f"t{n}", f"q{n}")
    smallest, largest, total, squares = (f"CAST({number} AS FLOAT64)" for number in numbers)
    return (
        f"STRUCT('{column.name}' AS feature, c{n} AS present, {smallest} AS smallest, {largest} AS largest, "
        f"{total} AS total, {squares} AS total_of_squares, CONCAT('[', {histogram}, ']') AS histogram)"
    )
