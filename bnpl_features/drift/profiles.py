"""Profiles as the warehouse holds them: sketches by day, segment and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from bnpl_features.derive.profile import ALL, SEPARATOR
from bnpl_features.derive.profiled import Subject
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN
from bnpl_features.drift.sketch import Sketch, sketch_of
from bnpl_features.warehouse.warehouse import Labels, Warehouse

Sketches = Mapping[str, Sketch]
"""By column."""

Segments = Mapping[str, Sketches]
"""By segment: `all`, and `<division>:<part>` for each part of each division of the subject."""


def read_profiles(
    warehouse: Warehouse, subject: Subject, first: date, last: date, labels: Labels, also: date | None = None
) -> dict[date, Segments]:
    """The days from `first` to `last` that have a profile with rows, and the day `also`; some hundred rows a day.

    Columns that are no longer declared, or had other bins, are left out. Raises `RelationMissing` before the first
    profile.
    """
    query = Query(
        f"SELECT {PARTITION_COLUMN}, segment, feature, row_count, nulls, smallest, largest, total, total_of_squares, "
        f"counts\nFROM {subject.table}\n"
        f"WHERE ({PARTITION_COLUMN} BETWEEN @first AND @last OR {PARTITION_COLUMN} = @also)",
        {"first": first, "last": last, "also": also or last},
    )
    columns = {column.name: column for column in subject.columns}
    cells: dict[date, dict[str, dict[str, Sketch]]] = {}
    for batch in warehouse.read(query, labels):
        for row in batch.to_pylist():
            column = columns.get(row["feature"])
            if column and (sketch := sketch_of(row, column)) and sketch.row_count:
                cells.setdefault(row[PARTITION_COLUMN], {}).setdefault(row["segment"], {})[column.name] = sketch
    return {day: _segments(subject, of_day) for day, of_day in sorted(cells.items())}


def added(sides: Iterable[Sketches]) -> dict[str, Sketch]:
    """The sketches of several days or segments together."""
    total: dict[str, Sketch] = {}
    for side in sides:
        for name, sketch in side.items():
            total[name] = total[name] + sketch if name in total else sketch
    return total


def _segments(subject: Subject, cells: Mapping[str, Sketches]) -> Segments:
    """A profile holds one row for each combination of parts; the parts of one division are sums of those."""
    found: dict[str, Sketches] = {ALL: added(cells.values())}
    for position, division in enumerate(subject.segments):
        parts: dict[str, list[Sketches]] = {}
        for cell, sketches in cells.items():
            parts.setdefault(cell.split(SEPARATOR)[position], []).append(sketches)
        found |= {f"{division}:{part}": added(sides) for part, sides in sorted(parts.items())}
    return found
