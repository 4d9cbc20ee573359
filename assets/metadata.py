"""What a person sees of a table and of a materialisation in Dagster's UI."""

import hashlib
from collections.abc import Sequence
from typing import Any

import dagster as dg

from bnpl_features.derive.table import Table
from bnpl_features.features.segment import Segment
from bnpl_features.warehouse.warehouse import Written


def fingerprint(text: str) -> str:
    """A short code version: it changes when the text does."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def table_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(c.name, c.type, c.description, dg.TableColumnConstraints(nullable=c.nullable))
            for c in table.columns
        ]
    )


def segments_table(segments: Sequence[Segment]) -> str:
    """Who is in which segment, as Markdown, in the order in which rules are tried."""
    rows = "\n".join(f"| {one.name} | {one.meaning} | `{one.rule}` |" for one in segments)
    return f"| segment | meaning | rule |\n|---|---|---|\n{rows}"


def written_metadata(written: Written, estimated_bytes: int | None = None) -> dict[str, Any]:
    """Rows, seconds and bytes of one partition; a run over a range says it of each."""
    metadata: dict[str, Any] = {"dagster/partition_row_count": written.rows, "seconds": round(written.seconds, 3)}
    if written.bytes_processed is not None:
        metadata["bytes_processed"] = written.bytes_processed
        metadata["job_id"] = written.job_id
    if estimated_bytes is not None:
        metadata["bytes_estimated_by_dry_run"] = estimated_bytes
    return metadata
