"""Columns of the warehouse -> the numbers of a model's input; `encoding` does the same for one purchase."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bnpl_features.risk_model.encoding import Floats32
from bnpl_features.risk_model.purchase_inputs import Encoding, PurchaseInput

MICROSECONDS_PER_HOUR = 3_600_000_000
MICROSECONDS_PER_DAY = 24 * MICROSECONDS_PER_HOUR
WEEKDAY_OF_EPOCH = 3
"""1970-01-01 was a Thursday; Monday is 0."""


def encode_column(one: PurchaseInput, column: pa.Array) -> Floats32:
    """The numbers of one input, shape [rows]; null is NaN, and so is a name not listed (`unlisted` counts them)."""
    if one.encoding in (Encoding.ORDERED, Encoding.NOMINAL):
        column = pc.index_in(column, value_set=pa.array(one.values, pa.string()))
    elif one.encoding in (Encoding.HOUR, Encoding.WEEKDAY):
        micros = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return (_hour(micros) if one.encoding is Encoding.HOUR else _weekday(micros)).astype(np.float32)
    floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(floats, dtype=np.float32)


def unlisted(one: PurchaseInput, column: pa.Array) -> int:
    """How many values of a named column are none of the declared ones."""
    if not one.values:
        return 0
    return int(pc.index_in(column, value_set=pa.array(one.values, pa.string())).null_count - column.null_count)


def _hour(micros: NDArray[np.int64]) -> NDArray[np.int64]:
    return (micros // MICROSECONDS_PER_HOUR) % 24


def _weekday(micros: NDArray[np.int64]) -> NDArray[np.int64]:
    return (micros // MICROSECONDS_PER_DAY + WEEKDAY_OF_EPOCH) % 7
