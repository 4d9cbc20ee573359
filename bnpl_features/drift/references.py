"""What the champion was trained on, as profiles: the reference that a newly trained model brings along.

The table `drift_references` keeps one partition for each time it was set; the newest not after a day is in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from bnpl_features.derive.profile import profiles_table
from bnpl_features.derive.profiled import Subject
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN, Table, TableColumn
from bnpl_features.drift.profiles import Segments, added, read_profiles
from bnpl_features.drift.sketch import Sketch, row_of, sketch_of
from bnpl_features.drift.subjects import ALL_SUBJECTS
from bnpl_features.errors import InputError, RelationMissing
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.warehouse import Labels, Warehouse

REFERENCES = "drift_references"
_OWN_COLUMNS = (
    TableColumn("model", "STRING", "The model that was trained on it, by name and version.", nullable=False),
    TableColumn("first_day", "DATE", "The first day of the data.", nullable=False),
    TableColumn("last_day", "DATE", "The last day of the data.", nullable=False),
    TableColumn("subject", "STRING", "What was profiled.", nullable=False),
)


@dataclass(frozen=True)
class Reference:
    """Training data by subject and segment; `set_on` is the partition that it is kept in."""

    model: str
    set_on: date
    first_day: date
    last_day: date
    subjects: Mapping[str, Segments]


def references_table() -> Table:
    day, *sketch = profiles_table(ALL_SUBJECTS[0]).columns
    return Table(
        REFERENCES,
        "Profiles of what each champion was trained on.",
        (day, *_OWN_COLUMNS, *sketch),
        cluster_by=("subject",),
    )


def set_reference(
    warehouse: Warehouse,
    first_day: date,
    last_day: date,
    *,
    set_on: date,
    model: str,
    labels: Labels,
    subjects: Sequence[Subject] = ALL_SUBJECTS,
) -> int:
    """Make the profiles of some days, added up, the reference from `set_on` on; returns the rows kept.

    What was set on the same day before is replaced, in one step. Subjects without profiles in these days are left out;
    raises `InputError` where none has any.
    """
    rows = []
    for subject in subjects:
        try:
            days = read_profiles(warehouse, subject, first_day, last_day, labels)
        except RelationMissing:
            continue
        for segment in dict.fromkeys(name for segments in days.values() for name in segments):
            together = added(segments[segment] for segments in days.values() if segment in segments)
            place = {"subject": subject.name, "segment": segment}
            rows += [
                place | {"feature": column.name} | row_of(together[column.name], column)
                for column in subject.columns
                if column.name in together
            ]
    if not rows:
        raise InputError(
            f"no day from {first_day} to {last_day} has a profile; compute these days first (`bnpl-features backfill`)"
        )
    of_all = {"model": model, "first_day": first_day, "last_day": last_day}
    batch = pa.RecordBatch.from_pylist([of_all | row for row in rows], arrow_schema(references_table()))
    return warehouse.replace_partition_rows(references_table(), set_on, iter([batch]), labels).rows


def reference_in_force(
    warehouse: Warehouse, day: date, labels: Labels, subjects: Sequence[Subject] = ALL_SUBJECTS
) -> Reference | None:
    """The reference set last, not after `day`; None where none was."""
    query = Query(
        f"SELECT * FROM {REFERENCES}\nWHERE {PARTITION_COLUMN} = (\n"
        f"  SELECT MAX({PARTITION_COLUMN}) FROM {REFERENCES} WHERE {PARTITION_COLUMN} <= @day\n)",
        {"day": day},
    )
    found: dict[str, dict[str, dict[str, Sketch]]] = {}
    columns = {(subject.name, column.name): column for subject in subjects for column in subject.columns}
    row = None
    for row in _rows(warehouse, query, labels):
        column = columns.get((row["subject"], row["feature"]))
        if column and (sketch := sketch_of(row, column)):
            found.setdefault(row["subject"], {}).setdefault(row["segment"], {})[column.name] = sketch
    if row is None:
        return None
    return Reference(row["model"], row[PARTITION_COLUMN], row["first_day"], row["last_day"], found)


def _rows(warehouse: Warehouse, query: Query, labels: Labels) -> Iterator[dict[str, Any]]:
    try:
        for batch in warehouse.read(query, labels):
            yield from batch.to_pylist()
    except RelationMissing:
        return
