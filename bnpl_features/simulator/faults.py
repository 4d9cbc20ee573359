"""What goes wrong with purchases upstream, put into them on purpose: drift, broken columns, missing days, duplicates.

Every fault looks at one row at a time, so faulty batches are the batches of the faulty table.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bnpl_features.simulator.demand import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from bnpl_features.simulator.schema import TRANSACTIONS

NIGHT_HOURS = np.array([22, 23, 0, 1, 2, 3, 4, 5])
AMOUNT_COLUMNS = ("amount", "product_price", "first_payment_amount")
"""Columns that grow together when customers buy for more."""


@dataclass(frozen=True)
class DriftedSegment:
    """A share of customers buys for more, and more at night, from a UTC date on.

    Attributes:
        from_day: first date that differs.
        to_day: last date that differs; None for all that follow.
        share: share of customers in the segment, 0..1; they are the same in every table.
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

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_share("share", self.share)
        _check_share("night_share", self.night_share)
        if not 0 < self.amount_factor < float("inf"):
            raise ValueError(f"amount_factor is {self.amount_factor}: choose more than 0; 1 leaves amounts as they are")


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
class DuplicatedRows:
    """A share of rows arrived twice, the copy right behind the original."""

    share: float
    from_day: date
    to_day: date | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_days(self.from_day, self.to_day)
        _check_share("share", self.share)


Fault = DriftedSegment | ConstantColumn | NullColumn | ScaledColumn | MissingDays | DuplicatedRows


def inject(table: pa.Table, faults: Sequence[Fault]) -> pa.Table:
    """The table with every fault in it, one after the other; schema and all other cells as they were."""
    for fault in faults:
        table = _inject(table, fault)
    return table


def _inject(table: pa.Table, fault: Fault) -> pa.Table:
    hit = _on_days(table, fault.from_day, fault.to_day)
    match fault:
        case DriftedSegment():
            return _drifted(table, hit, fault)
        case ConstantColumn():
            return _replaced(table, fault.column, hit, pa.scalar(fault.value, table.schema.field(fault.column).type))
        case NullColumn():
            return _replaced(table, fault.column, hit, pa.scalar(None, table.schema.field(fault.column).type))
        case ScaledColumn():
            return _replaced(table, fault.column, hit, _scaled(table[fault.column], fault.factor))
        case MissingDays():
            return table.filter(pa.array(~hit))
        case DuplicatedRows():
            twice = hit & _chosen(table["transaction_id"], fault.share, f"twice {fault.seed}")
            return table.take(pa.array(np.repeat(np.arange(table.num_rows), 1 + twice)))


def _drifted(table: pa.Table, hit: npt.NDArray[np.bool_], fault: DriftedSegment) -> pa.Table:
    hit = hit & _chosen(table["customer_id"], fault.share, f"segment {fault.seed}")
    for column in AMOUNT_COLUMNS:
        table = _replaced(table, column, hit, pc.round(_scaled(table[column], fault.amount_factor), 2))
    moment = _microseconds(table)
    hour = moment % MICROSECONDS_PER_DAY // MICROSECONDS_PER_HOUR
    moved = hit & ~np.isin(hour, NIGHT_HOURS)
    moved &= _chosen(table["transaction_id"], fault.night_share, f"moved {fault.seed}")
    # The night hour follows from the minute of the purchase, which means nothing else, so no randomness is needed.
    night_hour = NIGHT_HOURS[moment // 60_000_000 % NIGHT_HOURS.size]
    at_night = moment + (night_hour - hour) * MICROSECONDS_PER_HOUR
    kind = table.schema.field("transaction_timestamp").type
    return _replaced(table, "transaction_timestamp", moved, pa.array(at_night).cast(kind))


def _on_days(table: pa.Table, from_day: date, to_day: date | None) -> npt.NDArray[np.bool_]:
    day = _microseconds(table) // MICROSECONDS_PER_DAY
    epoch = date(1970, 1, 1)
    on: npt.NDArray[np.bool_] = day >= (from_day - epoch).days
    return on if to_day is None else on & (day <= (to_day - epoch).days)


def _microseconds(table: pa.Table) -> npt.NDArray[np.int64]:
    moments: npt.NDArray[np.int64] = table["transaction_timestamp"].cast(pa.int64()).fill_null(0).to_numpy()
    return moments


def _chosen(ids: pa.ChunkedArray, share: float, salt: str) -> npt.NDArray[np.bool_]:
    """Whether each row's id is among the `share` chosen: by a checksum, so the same id fares alike in every table."""
    encoded = ids.fill_null("").combine_chunks().dictionary_encode()
    checksums = [zlib.crc32(f"{salt} {each}".encode()) for each in encoded.dictionary.to_pylist()]
    chosen: npt.NDArray[np.bool_] = np.array(checksums, dtype=np.uint64)[encoded.indices.to_numpy()] < share * 2**32
    return chosen


def _scaled(values: pa.ChunkedArray, factor: float) -> pa.ChunkedArray:
    return pc.multiply(values.cast(pa.float64()), factor).cast(values.type, safe=False)


def _replaced(
    table: pa.Table, column: str, where: npt.NDArray[np.bool_], value: pa.Scalar | pa.Array | pa.ChunkedArray
) -> pa.Table:
    position = table.schema.get_field_index(column)
    return table.set_column(position, table.schema.field(position), pc.if_else(pa.array(where), value, table[column]))


def _check_days(from_day: date, to_day: date | None) -> None:
    if to_day is not None and to_day < from_day:
        raise ValueError(f"to_day {to_day} is before from_day {from_day}: swap them, or leave to_day out")


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} is {share}: choose a share between 0 and 1")


def _check_column(column: str) -> None:
    if column not in TRANSACTIONS.names:
        raise ValueError(f"transactions has no column {column!r}: choose one of {', '.join(TRANSACTIONS.names)}")
