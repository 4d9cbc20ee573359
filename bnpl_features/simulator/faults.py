"""What goes wrong with purchases upstream, put into them on purpose: drift, broken columns, missing days, duplicates.

`injection` does what is declared here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from bnpl_features.simulator.schema import TRANSACTIONS


@dataclass(frozen=True)
class DriftedSegment:
    """A share of customers buys for more, and more at night, from a UTC date on.

    Attributes:
        from_day: first date that differs.
        to_day: last date that differs; None for all that follow.
        share: share of customers in the segment, 0..1; they are the same in every table.
        ramp_days: days over which the segment grows to that share, evenly; 0 is at once.
        amount_factor: multiplies their amount, product_price and first_payment_amount.
        night_share: share of their daytime purchases moved to the night hours of the same UTC date.
        seed: another seed is another segment.
    """

    from_day: date
    to_day: date | None = None
    share: float = 0.2
    amount_factor: float = 1.5
    night_share: float = 0.3
    seed: int = 0
    ramp_days: int = 0

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_share("share", self.share)
        _check_share("night_share", self.night_share)
        if not 0 < self.amount_factor < float("inf"):
            raise ValueError(f"amount_factor is {self.amount_factor}: choose more than 0; 1 leaves amounts as they are")
        if self.ramp_days < 0:
            raise ValueError(f"ramp_days is {self.ramp_days}: choose 0 for a step, or the days that the change takes")


@dataclass(frozen=True)
class ConstantColumn:
    """A column says the same in every row; `value` must fit its type."""

    column: str
    value: bool | int | float | str
    from_day: date
    to_day: date | None = None

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_column(self.column)
        try:
            pa.scalar(self.value, TRANSACTIONS.field(self.column).type)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            kind = TRANSACTIONS.field(self.column).type
            raise ValueError(f"value {self.value!r} does not fit {self.column}: choose a {kind}") from error


@dataclass(frozen=True)
class NullColumn:
    """A column is null in every row."""

    column: str
    from_day: date
    to_day: date | None = None

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_column(self.column)


@dataclass(frozen=True)
class ScaledColumn:
    """A numeric column changes its unit: cents for dollars with the usual factor of 100."""

    column: str
    from_day: date
    to_day: date | None = None
    factor: float = 100.0

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_column(self.column)
        kind = TRANSACTIONS.field(self.column).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise ValueError(f"{self.column} is a {kind} and has no unit: choose a numeric column such as amount")


@dataclass(frozen=True)
class MissingDays:
    """The purchases of some UTC dates, both ends inclusive, never arrived."""

    from_day: date
    to_day: date

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)


@dataclass(frozen=True)
class MissingSource:
    """One source stopped: no row has `value` in `column` any more, such as a payment_provider or a product_category."""

    column: str
    value: str
    from_day: date
    to_day: date | None = None

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_column(self.column)


@dataclass(frozen=True)
class LostRows:
    """A share of rows never arrived."""

    share: float
    from_day: date
    to_day: date | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_share("share", self.share)


@dataclass(frozen=True)
class Sale:
    """No fault but a day such as Black Friday: `purchases_factor` times as many purchases, 1 to 10, each for
    `amount_factor` as much. The purchases that are added have ids and seconds of their own."""

    from_day: date
    to_day: date
    purchases_factor: int = 3
    amount_factor: float = 1.4

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        if not 1 <= self.purchases_factor <= 10:
            raise ValueError(f"purchases_factor is {self.purchases_factor}: choose a whole number between 1 and 10")


@dataclass(frozen=True)
class DuplicatedRows:
    """A share of rows arrived twice, the copy right behind the original."""

    share: float
    from_day: date
    to_day: date | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_share("share", self.share)


Fault = (
    DriftedSegment
    | ConstantColumn
    | NullColumn
    | ScaledColumn
    | MissingDays
    | MissingSource
    | LostRows
    | Sale
    | DuplicatedRows
)


def _check_days(from_day: date, to_day: date | None) -> None:
    if to_day is not None and to_day < from_day:
        raise ValueError(f"to_day {to_day} is before from_day {from_day}: swap them, or leave to_day out")


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} is {share}: choose a share between 0 and 1")


def _check_column(column: str) -> None:
    if column not in TRANSACTIONS.names:
        raise ValueError(f"transactions has no column {column!r}: choose one of {', '.join(TRANSACTIONS.names)}")
