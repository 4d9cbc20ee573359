"""What was decided about a customer lately: from the warehouse, and from the end of this machine's prediction log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bnpl_features.derive.query import Query
from bnpl_features.errors import RelationMissing
from bnpl_features.scoring.prediction_table import PREDICTIONS, Segments
from bnpl_features.scoring.predictions import Record
from bnpl_features.scoring.reasons import OTHER, SUBJECTS, Reason
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.warehouse.warehouse import Warehouse

LOOK_BACK_DAYS = 30
MOST_SCORES = 20
TAIL_BYTES = 16_000_000
"""Of the log: some 40,000 predictions, looked through in about 10 ms."""

_LABELS = {"asset": "console"}
_SHOWN = (
    "predicted_at",
    "request_id",
    "model",
    "model_version",
    "probability",
    "decision",
    "reasons",
    "experiment",
    "arm",
    "is_shadow",
    "feature_status",
    "feature_version",
    "fallback",
)
_REASONS = {one.reason.code: one.reason for one in SUBJECTS}


@dataclass(frozen=True)
class Score:
    """One prediction, as `scoring.predictions.Record` has it; `reasons` with their texts."""

    predicted_at: datetime
    request_id: str
    model: str | None
    model_version: int | None
    probability: float | None
    decision: str
    reasons: tuple[Reason, ...]
    experiment: str | None
    arm: str
    is_shadow: bool
    feature_status: str
    feature_version: int | None
    fallback: str | None


def recent_scores(
    warehouse: Warehouse, log: Path, key: CustomerKey, customer_id: str, today: date, most: int = MOST_SCORES
) -> tuple[Score, ...]:
    """The newest first; `log` is the folder of this machine's prediction service, whose end is looked through as well.

    Raises as `Warehouse.read` does; without a table of predictions there are those of the log.
    """
    digest = key.digest(customer_id).hex()
    found = {(one.request_id, one.arm): one for one in _in_warehouse(warehouse, digest, today, most)}
    found |= {(one.request_id, one.arm): one for one in in_log(log, digest, today)}
    return tuple(sorted(found.values(), key=lambda one: one.predicted_at, reverse=True)[:most])


def in_log(folder: Path, digest: str, today: date) -> list[Score]:
    """What the newest `TAIL_BYTES` of the log say of a customer; yesterday's may not be in the warehouse yet."""
    left = TAIL_BYTES
    scores: list[Score] = []
    decoder = msgspec.json.Decoder(Record)
    for day in (today, today - timedelta(days=1)):
        for file in sorted(Segments(folder, day).files, key=lambda path: path.stat().st_mtime, reverse=True):
            if left <= 0:
                return scores
            for line in _lines_with(digest.encode(), file, left):
                try:
                    record = msgspec.structs.asdict(decoder.decode(line))
                except msgspec.DecodeError:
                    continue  # the line that was cut, or is being written
                if record["customer_digest"] == digest:
                    scores.append(_score(record))
            left -= file.stat().st_size
    return scores


def _lines_with(wanted: bytes, file: Path, most_bytes: int) -> Iterator[bytes]:
    with file.open("rb") as opened:
        opened.seek(max(file.stat().st_size - most_bytes, 0))
        text = opened.read(most_bytes)
    at = text.find(wanted)
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        end = end if end >= 0 else len(text)
        yield text[start:end]
        at = text.find(wanted, end)


def _in_warehouse(warehouse: Warehouse, digest: str, today: date, most: int) -> list[Score]:
    query = Query(
        f"SELECT {', '.join(_SHOWN)}\nFROM {PREDICTIONS}\n"
        "WHERE partition_date BETWEEN @first AND @last AND customer_digest = @digest\n"
        f"ORDER BY predicted_at DESC\nLIMIT {most}",
        {"first": today - timedelta(days=LOOK_BACK_DAYS), "last": today, "digest": digest},
    )
    try:
        return [_score(row) for batch in warehouse.read(query, _LABELS) for row in batch.to_pylist()]
    except RelationMissing:
        return []


def _score(row: dict[str, Any]) -> Score:
    codes = row["reasons"].split()
    reasons = tuple(_REASONS.get(code, Reason(code, OTHER.text)) for code in codes)
    shown = {name: row[name] for name in _SHOWN}
    return Score(**shown | {"reasons": reasons, "predicted_at": row["predicted_at"].astimezone(UTC)})
