"""What a person sees of a table and of a materialisation in Dagster's UI."""

import hashlib
from collections.abc import Sequence
from typing import Any

import dagster as dg

from bnpl_features.derive.table import Table
from bnpl_features.features.segment import Segment
from bnpl_features.store.publisher import Publication
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


def console_link(console_url: str, path: str) -> dict[str, Any]:
    """A page of the console, where one is configured."""
    return {"console": dg.MetadataValue.url(console_url.rstrip("/") + path)} if console_url else {}


def publication_metadata(publication: Publication, console_url: str) -> dict[str, Any]:
    """With a link to the version's page in the console."""
    manifest = publication.manifest
    return {
        **console_link(console_url, f"/versions/{manifest.version}"),
        "feature_set": manifest.layout.feature_set,
        "version": manifest.version,
        "previous_version": publication.previous if publication.previous is not None else "none",
        "customers": manifest.customers,
        "erased": manifest.erased,
        "customers_per_second": round(manifest.customers / publication.total_seconds),
        "seconds": {step: round(took, 3) for step, took in publication.seconds.items()},
        "total_seconds": round(publication.total_seconds, 3),
        "record_bytes": manifest.layout.width_bytes,
        "saturated_values": dict(manifest.saturated),
        "layout": manifest.layout.fingerprint,
        "checks": dict(manifest.provenance.checks),
        "overrides": dict(manifest.provenance.overrides),
        "retired_versions": list(publication.removed),
    }
