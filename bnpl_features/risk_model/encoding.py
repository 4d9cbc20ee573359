"""One purchase, as the checkout knows it -> the numbers of a model's input.

`columns` does the same for many purchases of the warehouse; a test compares the two. Here nothing heavier than NumPy is
needed, since the prediction service loads it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bnpl_features.errors import ModelInputError
from bnpl_features.risk_model.purchase_inputs import Encoding, PurchaseInput

Floats32 = NDArray[np.float32]

_NAN = float("nan")


def encode_purchase(inputs: Sequence[PurchaseInput], purchase: Mapping[str, object]) -> list[float]:
    """The input vector of one purchase, in the order of `inputs`; `purchase` has the warehouse's column names.

    A number may be an int or float, a flag a bool, a timestamp an aware `datetime` or ISO 8601 text with a zone.
    Columns that are no inputs are ignored.

    Raises `ModelInputError`, whose `column` names the field, for a required value that is missing or None, a value of
    another type, NaN, infinity, a negative number, or a name outside a closed set.
    """
    return [_encoder(one)(purchase.get(one.column)) for one in inputs]


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
