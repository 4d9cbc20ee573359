"""The log of predictions as a table of the warehouse: its columns, and segments -> rows.

Needs PyArrow, which the service itself does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from bnpl_features.derive.table import PARTITION_COLUMN, Table, TableColumn
from bnpl_features.scoring.predictions import CLOSED_SUFFIX, OPEN_SUFFIX, Record
from bnpl_features.warehouse.arrow_types import arrow_schema

PREDICTIONS = "predictions"
BATCH_ROWS = 50_000

_COLUMNS = (
    TableColumn("predicted_at", "TIMESTAMP", "When the prediction was made, UTC.", nullable=False),
    TableColumn("request_id", "STRING", "Names the request.", nullable=False),
    TableColumn("transaction_id", "STRING", "The purchase's.", nullable=False),
    TableColumn("transaction_timestamp", "TIMESTAMP", "The purchase's, UTC.", nullable=False),
    TableColumn("customer_digest", "STRING", "Keyed digest of the customer id.", nullable=False),
    TableColumn("experiment", "STRING", "The experiment that the customer was in."),
    TableColumn("arm", "STRING", "The arm; champion outside of experiments.", nullable=False),
    TableColumn("is_shadow", "BOOL", "Whether it was only logged, not answered.", nullable=False),
    TableColumn("model", "STRING", "Null where the policy gave no score."),
    TableColumn("model_version", "INT64", "The registry's number."),
    TableColumn("probability", "FLOAT64", "Of default, 0..1."),
    TableColumn("decision", "STRING", "approve, review or decline.", nullable=False),
    TableColumn("reasons", "STRING", "Codes of the reasons given, separated by spaces.", nullable=False),
    TableColumn("feature_status", "STRING", "fresh, stale, unknown_customer or unavailable.", nullable=False),
    TableColumn("feature_version", "INT64", "The version of the features."),
    TableColumn("feature_partition", "DATE", "The partition of the features."),
    TableColumn("velocity_status", "STRING", "fresh, stale, unavailable or not_read."),
    TableColumn("fallback", "STRING", "Why another than the intended model scored."),
)


def predictions_table() -> Table:
    day = TableColumn(PARTITION_COLUMN, "DATE", "The day of the prediction, UTC.", nullable=False)
    return Table(
        PREDICTIONS,
        "One row a prediction: what was decided, by which model, on which features.",
        (day, *_COLUMNS),
        cluster_by=("experiment", "arm"),
    )


@dataclass
class Segments:
    """A day's segments; `torn` counts lines that a killed process left unfinished, once all batches were taken."""

    folder: Path
    day: date
    torn: int = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The day's records, a bounded number at a time."""
        rows: list[dict[str, Any]] = []
        for record in self._records():
            rows.append(msgspec.structs.asdict(record))
            if len(rows) == BATCH_ROWS:
                yield pa.RecordBatch.from_pylist(rows, arrow_schema(predictions_table()))
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, arrow_schema(predictions_table()))

    @property
    def files(self) -> list[Path]:
        place = self.folder / f"{PARTITION_COLUMN}={self.day}"
        return sorted([*place.glob(f"*{CLOSED_SUFFIX}"), *place.glob(f"*{OPEN_SUFFIX}")])

    def _records(self) -> Iterator[Record]:
        self.torn = 0
        decode = msgspec.json.Decoder(Record).decode
        for file in self.files:
            with file.open("rb") as lines:
                for line in lines:
                    try:
                        yield decode(line)
                    except msgspec.DecodeError:
                        self.torn += 1
