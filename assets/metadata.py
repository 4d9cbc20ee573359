"""What a person sees of a table and of a materialisation in Dagster's UI."""

import hashlib
from collections.abc import Sequence
from typing import Any

import dagster as dg

from bnpl_features.derive.table import Table
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


def written_metadata(written: Sequence[Written], estimates: Sequence[int | None]) -> dict[str, Any]:
    """Rows, seconds and bytes of the partitions that a run wrote."""
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": sum(one.rows for one in written),
        "seconds": round(sum(one.seconds for one in written), 3),
    }
    processed = [one.bytes_processed for one in written if one.bytes_processed is not None]
    if processed:
        metadata["bytes_processed"] = sum(processed)
        metadata["job_ids"] = [one.job_id for one in written]
    known = [estimate for estimate in estimates if estimate is not None]
    if known:
        metadata["bytes_estimated_by_dry_run"] = sum(known)
    return metadata
