"""Values of many customers <-> records, a column at a time; the table of a code's values. Here numpy is needed.

`store/codec.py`, which readers import, asks for this module when it makes its first table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bnpl_features.derive.layout import TAG_BYTES, Layout
from bnpl_features.features.segment import SEGMENT
from bnpl_features.features.storage import HALF_LARGEST, Scale, Storage

Floats = NDArray[np.float64]
Records = NDArray[np.uint8]
Fillings = Mapping[int, Mapping[int, float | None]]
"""What stands for missing values: code of the segment -> position among the fields -> number."""

_HALF_NULL = 0x7E00


@dataclass(frozen=True)
class Encoded:
    """Records, one row of `width_bytes` each, and how many values of which feature did not fit their storage."""

    records: Records
    saturated: dict[str, int]


def encode(layout: Layout, columns: Mapping[str, Floats]) -> Encoded:
    """Records from one float64 array a feature: NaN is null, a name is its position in the declared list."""
    rows = len(next(iter(columns.values())))
    records: Records = np.empty((rows, layout.width_bytes), dtype=np.uint8)
    records[:, :TAG_BYTES] = layout.tag
    fields = records.view(_fields_of(layout)).reshape(rows)
    saturated: dict[str, int] = {}
    for field in layout.fields:
        codes, outside = encode_column(field.storage, columns[field.name])
        fields[field.name] = codes
        if outside:
            saturated[field.name] = outside
    return Encoded(records, saturated)


def decode(layout: Layout, records: Records, fillings: Fillings) -> Floats:
    """A matrix of (records, features) in the layout's order, from `(n, width_bytes)` bytes; null is NaN."""
    fields = np.ascontiguousarray(records).view(_fields_of(layout)).reshape(len(records))
    matrix = np.empty((len(records), len(layout.fields)), dtype=np.float64)
    for position, field in enumerate(layout.fields):
        matrix[:, position] = float_table(field.storage)[fields[field.name]]
    for code, defaults in fillings.items():
        inside = fields[SEGMENT] == code
        for position, default in defaults.items():
            missing = inside & np.isnan(matrix[:, position])
            matrix[missing, position] = default
    return matrix


@lru_cache(maxsize=64)
def _fields_of(layout: Layout) -> np.dtype[np.void]:
    return np.dtype(
        {
            "names": list(layout.names),
            "formats": [f"<u{field.storage.width_bytes}" for field in layout.fields],
            "offsets": list(layout.offsets),
            "itemsize": layout.width_bytes,
        }
    )


def encode_column(storage: Storage, values: Floats) -> tuple[NDArray[np.uint16], int]:
    """Codes of `values`, and how many of them lay outside what the storage holds."""
    null = np.isnan(values)
    known = np.where(null, 0.0, values)
    outside = int(np.count_nonzero(((known < storage.low) | (known > storage.high)) & ~null & _counts(storage, known)))
    codes = _codes(storage, known)
    codes[null] = _HALF_NULL if storage.scale is Scale.HALF else storage.null_code
    return codes, outside


def _counts(storage: Storage, known: Floats) -> NDArray[np.bool_] | bool:
    """A logarithmic scale rounds what lies below its smallest value to zero or to it: an error, not a saturation."""
    return (known < 0.0) | (known > storage.high) if storage.scale is Scale.LOGARITHMIC else True


def _codes(storage: Storage, known: Floats) -> NDArray[np.uint16]:
    bounded = np.clip(known, 0.0 if storage.scale is Scale.LOGARITHMIC else storage.low, storage.high)
    if storage.scale is Scale.HALF:
        return bounded.astype(np.float16).view(np.uint16).copy()
    if storage.scale is Scale.LINEAR:
        return np.rint((bounded - storage.low) * (storage.steps / (storage.high - storage.low))).astype(np.uint16)
    if storage.scale is Scale.LOGARITHMIC:
        per_step = storage.steps / np.log(storage.high / storage.low)
        positive = np.rint(np.log(np.maximum(bounded, storage.low) / storage.low) * per_step) + 1.0
        return np.where(bounded < storage.low / 2, 0.0, positive).astype(np.uint16)
    return np.rint(bounded).astype(np.uint16)


@lru_cache(maxsize=256)
def float_table(storage: Storage) -> Floats:
    """The value of every code, as float64; null is NaN."""
    codes = np.arange(storage.null_code + 1)
    table: Floats
    if storage.scale is Scale.HALF:
        halves: Floats = codes.astype(np.uint16).view(np.float16).astype(np.float64)
        halves[np.abs(halves) > HALF_LARGEST] = np.nan
        return halves
    if storage.scale is Scale.LINEAR:
        table = (storage.low + codes * ((storage.high - storage.low) / storage.steps)).astype(np.float64)
    elif storage.scale is Scale.LOGARITHMIC:
        ratio = np.log(storage.high / storage.low) / storage.steps
        table = np.where(codes == 0, 0.0, storage.low * np.exp((codes - 1) * ratio))
    else:
        table = codes.astype(np.float64)
    table[codes > storage.null_code - 1] = np.nan
    if storage.scale is Scale.NAMES:
        table[codes >= len(storage.names)] = np.nan
    return table
