"""Values of a purchase -> the numbers of a model's input: one purchase at checkout, or columns of a training set.

Both ways give the same numbers for the same purchase; a test compares them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bnpl_features.errors import ModelInputError
from bnpl_features.risk_model.purchase_inputs import Encoding, PurchaseInput

Floats32 = NDArray[np.float32]

MICROSECONDS_PER_HOUR = 3_600_000_000
MICROSECONDS_PER_DAY = 24 * MICROSECONDS_PER_HOUR
WEEKDAY_OF_EPOCH = 3
"""1970-01-01 was a Thursday; Monday is 0."""

_NAN = float("nan")


def encode_purchase(inputs: Sequence[PurchaseInput], purchase: Mapping[str, object]) -> list[float]:
    """The input vector of one purchase, in the order of `inputs`; `purchase` has the warehouse's column names.

    A number may be an int or float, a flag a bool, a timestamp an aware `datetime` or ISO 8601 text with a zone.
    Columns that are no inputs are ignored.

    Raises `ModelInputError`, whose `column` names the field, for a required value that is missing or None, a value of
    another type, NaN, infinity, a negative number, or a name outside a closed set.
    """
    return [_encoder(one)(purchase.get(one.column)) for one in inputs]


def encode_column(one: PurchaseInput, column: pa.Array) -> Floats32:
    """The same for a column of the warehouse; a name that is not listed is NaN (`unlisted` counts them)."""
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


@lru_cache(maxsize=512)
def _encoder(one: PurchaseInput) -> Callable[[object], float]:
    """A function of one value; the declaration is looked at once, not for every purchase."""
    of_type = {
        Encoding.NUMBER: _number_of,
        Encoding.FLAG: _flag_of,
        Encoding.ORDERED: _name_of,
        Encoding.NOMINAL: _name_of,
        Encoding.HOUR: _hour_of,
        Encoding.WEEKDAY: _weekday_of,
    }[one.encoding](one)

    def encode(value: object) -> float:
        if value is None:
            if one.is_required:
                raise ModelInputError(one.column, f"{one.column} is missing; a purchase must say it")
            return _NAN
        return of_type(value)

    return encode


def _number_of(one: PurchaseInput) -> Callable[[object], float]:
    def encode(value: object) -> float:
        if type(value) is float or type(value) is int:
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if 0.0 <= number < math.inf:
                return number
        raise ModelInputError(one.column, f"{one.column} is not a finite number of at least 0; correct it")

    return encode


def _flag_of(one: PurchaseInput) -> Callable[[object], float]:
    def encode(value: object) -> float:
        if value is True or value is False:
            return float(value)
        raise ModelInputError(one.column, f"{one.column} is neither true nor false; correct it")

    return encode


def _name_of(one: PurchaseInput) -> Callable[[object], float]:
    codes = {name: float(position) for position, name in enumerate(one.values)}

    def encode(value: object) -> float:
        if type(value) is not str:
            raise ModelInputError(one.column, f"{one.column} is not text; correct it")
        code = codes.get(value)
        if code is not None:
            return code
        if one.is_closed:
            raise ModelInputError(one.column, f"{one.column} is none of {', '.join(one.values)}; correct it")
        return _NAN

    return encode


def _hour_of(one: PurchaseInput) -> Callable[[object], float]:
    return lambda value: float(_instant(one, value).hour)


def _weekday_of(one: PurchaseInput) -> Callable[[object], float]:
    return lambda value: float(_instant(one, value).weekday())


def _instant(one: PurchaseInput, value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(instant, datetime) and instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ModelInputError(
        one.column, f"{one.column} is not a timestamp with a zone, such as 2026-01-31T23:59:59Z; correct it"
    )


def _hour(micros: NDArray[np.int64]) -> NDArray[np.int64]:
    return (micros // MICROSECONDS_PER_HOUR) % 24


def _weekday(micros: NDArray[np.int64]) -> NDArray[np.int64]:
    return (micros // MICROSECONDS_PER_DAY + WEEKDAY_OF_EPOCH) % 7
