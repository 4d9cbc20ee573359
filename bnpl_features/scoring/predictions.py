"""The log of predictions: what is needed to audit a decision, to join its outcome and to train on it.

No customer id: the keyed digest that the online store uses stands for it. A request only appends to a queue in memory;
a thread writes. Where the queue is full a record is dropped, and counted.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO

import msgspec

from bnpl_features.scoring.core import Prediction
from bnpl_features.scoring.purchase import Identified

MOST_QUEUED = 100_000
"""About 50 MB, and half a minute at the load that one process takes."""

FLUSH_SECONDS = 0.5
SEGMENT_SECONDS = 60.0
OPEN_SUFFIX, CLOSED_SUFFIX = ".ndjson.part", ".ndjson"
_LOG = logging.getLogger("bnpl_features.scoring")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log, one row of the table `predictions`."""

    predicted_at: datetime
    request_id: str
    transaction_id: str
    transaction_timestamp: datetime
    customer_digest: str
    experiment: str | None
    arm: str
    is_shadow: bool
    model: str | None
    model_version: int | None
    probability: float | None
    decision: str
    reasons: str
    feature_status: str
    feature_version: int | None
    feature_partition: date | None
    velocity_status: str | None = None
    fallback: str | None


def record_of(
    prediction: Prediction, purchase: Identified, digest: Callable[[str], bytes], now: float, *, is_shadow: bool = False
) -> Record:
    """`digest` is that of the customer key; `now` is seconds since the epoch."""
    return Record(
        predicted_at=datetime.fromtimestamp(now, UTC),
        request_id=prediction.request_id,
        transaction_id=prediction.transaction_id,
        transaction_timestamp=purchase.transaction_timestamp.astimezone(UTC),
        customer_digest=digest(purchase.customer_id).hex(),
        experiment=prediction.experiment,
        arm=prediction.arm,
        is_shadow=is_shadow,
        model=prediction.model,
        model_version=prediction.model_version,
        probability=prediction.probability,
        decision=prediction.decision.value,
        reasons=" ".join(reason.code for reason in prediction.reasons),
        feature_status=prediction.feature_status,
        feature_version=prediction.feature_version,
        feature_partition=prediction.feature_partition,
        velocity_status=prediction.velocity_status,
        fallback=prediction.fallback,
    )


class PredictionLog:
    """Appends from the event loop, writes from a thread: segments of a minute, in a folder a day (UTC)."""

    def __init__(self, folder: Path, *, most_queued: int = MOST_QUEUED, flush_seconds: float = FLUSH_SECONDS) -> None:
        self.written = 0
        self.dropped = 0
        self._folder = folder
        self._most_queued = most_queued
        self._flush_seconds = flush_seconds
        self._encode = msgspec.json.Encoder().encode
        self._queue: deque[tuple[date, bytes]] = deque()
        self._segments: dict[date, _Segment] = {}
        self._failing = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_writing, name="prediction-log", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        return len(self._queue)

    def append(self, record: Record) -> None:
        if len(self._queue) >= self._most_queued:
            self.dropped += 1
            return
        self._queue.append((record.predicted_at.date(), self._encode(record)))

    def close(self) -> None:
        """Write all that is queued; what cannot be written is dropped, and counted."""
        self._stopped.set()
        self._thread.join()
        self._write()
        self._close_segments(all_of_them=True)
        self.dropped += len(self._queue)
        if self._queue:
            _LOG.error("%s predictions could not be logged: %s", len(self._queue), self._failing)

    def _keep_writing(self) -> None:
        while not self._stopped.wait(self._flush_seconds):
            self._write()
            self._close_segments(all_of_them=False)

    def _write(self) -> None:
        """A day at a time, as the records' own clock says; what could not be written stays first in the queue."""
        while self._queue:
            day = self._queue[0][0]
            lines = []
            while self._queue and self._queue[0][0] == day:
                lines.append(self._queue.popleft()[1])
            try:
                self._segment(day).write(lines)
            except OSError as error:
                self._queue.extendleft((day, line) for line in reversed(lines))
                self._segments.pop(day, None)
                if self._failing != str(error):
                    self._failing = str(error)
                    _LOG.error("predictions cannot be logged now, %s are waiting: %s", len(self._queue), error)
                return
            self.written += len(lines)
            self._failing = ""

    def _segment(self, day: date) -> _Segment:
        segment = self._segments.get(day)
        if segment is None:
            segment = self._segments[day] = _Segment(self._folder / f"partition_date={day}")
        return segment

    def _close_segments(self, *, all_of_them: bool) -> None:
        for day, segment in list(self._segments.items()):
            if all_of_them or segment.age_seconds > SEGMENT_SECONDS:
                del self._segments[day]
                try:
                    segment.close()
                except OSError as error:
                    _LOG.error("a segment of predictions stays open: %s", error)


class _Segment:
    """A file that is being written; closed, it has its final name and is on the disk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
        self._path = folder / f"{name}{OPEN_SUFFIX}"
        self._file: IO[bytes] = self._path.open("xb", buffering=0)
        self._opened_at = time.monotonic()

    @property
    def age_seconds(self) -> float:
        return time.monotonic() - self._opened_at

    def write(self, lines: list[bytes]) -> None:
        """All lines or, with an OSError, none of them that a reader would take."""
        block = memoryview(b"\n".join(lines) + b"\n")
        start = self._file.tell()
        try:
            while block:
                block = block[self._file.write(block) :]
        except OSError:
            self._file.truncate(start)
            raise

    def close(self) -> None:
        with self._file:
            os.fsync(self._file.fileno())
        self._path.rename(self._path.with_name(self._path.name.removesuffix(OPEN_SUFFIX) + CLOSED_SUFFIX))
