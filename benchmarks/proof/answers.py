"""What the load generator keeps of each answer: a row of numbers, small enough for a million of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.steady import Exchange
from bnpl_features.scoring.decision import Decision
from bnpl_features.store.reading.lookup import Status

MODELS = ("", "transaction_only", "behavioural")
STATUSES = ("", *Status)
DECISIONS = ("", *Decision)
"""Columns `model`, `feature_status` and `decision` hold positions in these; another word is `UNKNOWN_WORD`."""

UNKNOWN_WORD = 255

ROW = np.dtype(
    [
        ("due", "f8"),
        ("sent", "f8"),
        ("ended", "f8"),
        ("status", "u2"),
        ("is_own", "?"),
        ("model", "u1"),
        ("model_version", "i4"),
        ("feature_status", "u1"),
        ("feature_version", "i4"),
        ("has_fallback", "?"),
        ("decision", "u1"),
        ("probability", "f8"),
    ]
)
"""Times are seconds of the monotonic clock; `status` is 0 where no answer came, and what an answer lacks is 0 or NaN.
`is_own` says that the answer names the transaction that was asked about."""

Rows = NDArray[Any]


class Told(msgspec.Struct):
    """The fields of an answer that are kept."""

    transaction_id: str
    probability: float | None
    decision: str
    model: str | None
    model_version: int | None
    feature_status: str
    feature_version: int | None
    fallback: str | None


def row_of(exchange: Exchange, decode: msgspec.json.Decoder[Told]) -> tuple[object, ...]:
    """An answer's row of `ROW`; one that cannot be read is not its own."""
    times = (exchange.due, exchange.sent, exchange.ended, exchange.status)
    if exchange.status != 200:
        return (*times, False, 0, 0, 0, 0, False, 0, np.nan)
    try:
        told = decode.decode(exchange.content)
    except msgspec.DecodeError:
        return (*times, False, 0, 0, 0, 0, False, 0, np.nan)
    return (
        *times,
        told.transaction_id == f"t-{exchange.number}",
        _position(told.model, MODELS),
        told.model_version or 0,
        _position(told.feature_status, STATUSES),
        told.feature_version or 0,
        told.fallback is not None,
        _position(told.decision, DECISIONS),
        np.nan if told.probability is None else told.probability,
    )


def _position(word: str | None, words: Sequence[str]) -> int:
    try:
        return words.index(word or "")
    except ValueError:
        return UNKNOWN_WORD
