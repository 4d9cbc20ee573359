"""Findings as a table of the warehouse: one partition a day, written whole, read back with one function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN, Table, TableColumn
from bnpl_features.drift.findings import Finding, Severity
from bnpl_features.errors import RelationMissing
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.warehouse import Labels, Warehouse

FINDINGS = Table(
    "drift_findings",
    "What each day's profiles differ in from their references.",
    (
        TableColumn(PARTITION_COLUMN, "DATE", "The day.", nullable=False),
        TableColumn("subject", "STRING", "A group, transactions, predictions, outcomes or vectors.", nullable=False),
        TableColumn("segment", "STRING", "all, or division:part.", nullable=False),
        TableColumn("feature", "STRING", "The column; rows for the volume, vectors for all together.", nullable=False),
        TableColumn("measure", "STRING", "What was measured, or the sign of a fault.", nullable=False),
        TableColumn("value", "FLOAT64", "The measure.", nullable=False),
        TableColumn("reference", "STRING", "With what the day was compared.", nullable=False),
        TableColumn("verdict", "STRING", "stable, warn or error, by itself.", nullable=False),
    ),
    cluster_by=("subject", "feature"),
)


def write_findings(warehouse: Warehouse, day: date, findings: Sequence[Finding], labels: Labels) -> int:
    """Replace the day's findings; returns how many there are."""
    rows = [one.__dict__ | {"verdict": one.verdict.value} for one in findings]
    batch = pa.RecordBatch.from_pylist(rows, arrow_schema(FINDINGS))
    return warehouse.replace_partition_rows(FINDINGS, day, iter([batch]), labels).rows


def read_findings(
    warehouse: Warehouse,
    first: date,
    last: date,
    labels: Labels,
    *,
    subject: str = "",
    segment: str = "",
    measure: str = "",
    verdict: str = "",
) -> dict[date, list[Finding]]:
    """Findings by day, oldest first; `subject` and what follows it narrow them. Empty before the first report."""
    given = {"subject": subject, "segment": segment, "measure": measure, "verdict": verdict}
    narrowed = "".join(f" AND {column} = @{column}" for column, value in given.items() if value)
    query = Query(
        f"SELECT {', '.join(column.name for column in FINDINGS.columns)}\nFROM {FINDINGS.name}\n"
        f"WHERE {PARTITION_COLUMN} BETWEEN @first AND @last{narrowed}\n"
        f"ORDER BY {PARTITION_COLUMN}, subject, segment, feature, measure, reference",
        {"first": first, "last": last, **{column: str(value) for column, value in given.items() if value}},
    )
    found: dict[date, list[Finding]] = {}
    try:
        for batch in warehouse.read(query, labels):
            for row in batch.to_pylist():
                day = row.pop(PARTITION_COLUMN)
                found.setdefault(day, []).append(Finding(**row | {"verdict": Severity(row["verdict"])}))
    except RelationMissing:
        return {}
    return found
