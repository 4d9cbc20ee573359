"""Faults -> purchases that have them: what `faults` declares, done to a table.

Every fault looks at one row at a time, so faulty batches are the batches of the faulty table.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bnpl_features.simulator.demand import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from bnpl_features.simulator.faults import (
    ConstantColumn,
    DriftedSegment,
    DuplicatedRows,
    Fault,
    LostRows,
    MissingDays,
    MissingSource,
    NullColumn,
    Sale,
    ScaledColumn,
)

NIGHT_HOURS = np.array([22, 23, 0, 1, 2, 3, 4, 5])
AMOUNT_COLUMNS = ("amount", "product_price", "first_payment_amount")
"""Columns that grow together when customers buy for more."""


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
        case MissingSource():
            is_value = pc.equal(table[fault.column], fault.value).fill_null(False).to_numpy()
            return table.filter(pa.array(~(hit & is_value)))
        case LostRows():
            return table.filter(pa.array(~(hit & _chosen(table["transaction_id"], fault.share, f"lost {fault.seed}"))))
        case Sale():
            return _sold(table, hit, fault)
        case DuplicatedRows():
            twice = hit & _chosen(table["transaction_id"], fault.share, f"twice {fault.seed}")
            return table.take(pa.array(np.repeat(np.arange(table.num_rows), 1 + twice)))


def _drifted(table: pa.Table, hit: npt.NDArray[np.bool_], fault: DriftedSegment) -> pa.Table:
    grown = 1.0 if not fault.ramp_days else np.clip((_days(table) - _day(fault.from_day) + 1) / fault.ramp_days, 0, 1)
    hit = hit & _chosen(table["customer_id"], fault.share * grown, f"segment {fault.seed}")
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


def _sold(table: pa.Table, hit: npt.NDArray[np.bool_], fault: Sale) -> pa.Table:
    for column in AMOUNT_COLUMNS:
        table = _replaced(table, column, hit, pc.round(_scaled(table[column], fault.amount_factor), 2))
    times = np.where(hit, fault.purchases_factor, 1)
    sold = table.take(pa.array(np.repeat(np.arange(table.num_rows), times)))
    copy = np.arange(sold.num_rows) - np.repeat(np.cumsum(times) - times, times)
    moment = _microseconds(sold)
    # A second later each; what would fall on the next day falls on the first seconds of its own.
    later = (moment % MICROSECONDS_PER_DAY + copy * 1_000_000) % MICROSECONDS_PER_DAY
    kind = sold.schema.field("transaction_timestamp").type
    sold = _replaced(
        sold, "transaction_timestamp", copy > 0, pa.array(moment - moment % MICROSECONDS_PER_DAY + later).cast(kind)
    )
    ids = pc.binary_join_element_wise(sold["transaction_id"], pa.array(copy.astype(str)), "-")
    return _replaced(sold, "transaction_id", copy > 0, ids)


def _on_days(table: pa.Table, from_day: date, to_day: date | None) -> npt.NDArray[np.bool_]:
    day = _days(table)
    on: npt.NDArray[np.bool_] = day >= _day(from_day)
    return on if to_day is None else on & (day <= _day(to_day))


def _days(table: pa.Table) -> npt.NDArray[np.int64]:
    """Days since 1970, of each row."""
    return _microseconds(table) // MICROSECONDS_PER_DAY


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _microseconds(table: pa.Table) -> npt.NDArray[np.int64]:
    moments: npt.NDArray[np.int64] = table["transaction_timestamp"].cast(pa.int64()).fill_null(0).to_numpy()
    return moments


def _chosen(ids: pa.ChunkedArray, share: float | npt.NDArray[np.float64], salt: str) -> npt.NDArray[np.bool_]:
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
