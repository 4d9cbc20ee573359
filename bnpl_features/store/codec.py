"""Values <-> records: every feature is a table from codes to values, so decoding is a lookup and null needs no flag."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from bnpl_features.derive.layout import TAG_BYTES, Layout
from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.feature import Kind, Value
from bnpl_features.features.segment import SEGMENT
from bnpl_features.features.storage import HALF_LARGEST, Scale, Storage
from bnpl_features.store.projection import Fills, Projection

Floats = NDArray[np.float64]
Records = NDArray[np.uint8]

_CODE_FORMAT = {1: "B", 2: "H"}
_HALF_NULL = 0x7E00


@dataclass(frozen=True)
class Encoded:
    """Records, one row of `width_bytes` each, and how many values of which feature did not fit their storage."""

    records: Records
    saturated: dict[str, int]


class Codec:
    """Encodes and decodes the records of one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._width = layout.width_bytes
        self._tag = layout.tag
        self._unpack = struct.Struct("<" + "x" * TAG_BYTES + "".join(_formats(layout))).unpack
        self._dtype = np.dtype(
            {
                "names": list(layout.names),
                "formats": [f"<u{field.storage.width_bytes}" for field in layout.fields],
                "offsets": list(layout.offsets),
                "itemsize": layout.width_bytes,
            }
        )

    def encode(self, columns: Mapping[str, Floats]) -> Encoded:
        """Records from one float64 array a feature: NaN is null, a name is its position in the declared list."""
        rows = len(next(iter(columns.values())))
        records: Records = np.empty((rows, self._width), dtype=np.uint8)
        records[:, :TAG_BYTES] = self._tag
        fields = records.view(self._dtype).reshape(rows)
        saturated: dict[str, int] = {}
        for field in self.layout.fields:
            codes, outside = encode_column(field.storage, columns[field.name])
            fields[field.name] = codes
            if outside:
                saturated[field.name] = outside
        return Encoded(records, saturated)

    def decode(self, records: Records) -> Floats:
        """A matrix of (records, features) in the layout's order, from `(n, width_bytes)` bytes; null is NaN."""
        fields = np.ascontiguousarray(records).view(self._dtype).reshape(len(records))
        matrix = np.empty((len(records), len(self.layout.fields)), dtype=np.float64)
        for position, field in enumerate(self.layout.fields):
            matrix[:, position] = float_table(field.storage)[fields[field.name]]
        for code, defaults in self._defaults.items():
            inside = fields[SEGMENT] == code
            for position, default in defaults.items():
                missing = inside & np.isnan(matrix[:, position])
                matrix[missing, position] = _as_number(self.layout.fields[position].storage, default)
        return matrix

    @cached_property
    def _defaults(self) -> dict[int, dict[int, Value]]:
        """What stands for missing values: code of the segment -> position among the fields -> value."""
        if not self.layout.segments:
            return {}
        names = self.layout.fields[self.layout.names.index(SEGMENT)].storage.names
        return {
            names.index(one.segment): {self.layout.names.index(name): value for name, value in one.values}
            for one in self.layout.segments
        }

    @cached_property
    def whole(self) -> Projection:
        """All features, in the layout's order."""
        return self.projection(self.layout.names)

    def fits(self, record: bytes) -> bool:
        """Whether the bytes are a record of this layout."""
        return len(record) == self._width and record[0] == self._tag

    def decode_one(self, record: bytes) -> tuple[Value, ...] | None:
        """The values of one record in the layout's order; None where the bytes are not a record of this layout."""
        return self.whole.values(record) if self.fits(record) else None

    def projection(self, features: tuple[str, ...]) -> Projection:
        """Some of the features, in the order given.

        Raises `LayoutMismatch` naming a feature that the layout lacks.
        """
        fields = {field.name: (position, field) for position, field in enumerate(self.layout.fields)}
        lacking = [name for name in features if name not in fields]
        if lacking:
            raise LayoutMismatch(
                f"the served layout has no feature {', '.join(map(repr, lacking))}; ask for features of "
                f"{self.layout.feature_set}, or publish a version that has them"
            )
        chosen = [fields[name] for name in features]
        names = tuple(field.name for _, field in chosen)
        defaults = tuple(field.default for _, field in chosen)
        return Projection(
            names,
            defaults,
            [_as_number(field.storage, field.default) for _, field in chosen],
            self._unpack,
            [(position, _value_table(field.storage, field.kind)) for position, field in chosen],
            [(position, _number_table(field.storage)) for position, field in chosen],
            self._fills([position for position, _ in chosen]),
        )

    def _fills(self, chosen: Sequence[int]) -> Fills | None:
        """What stands for missing values of a projection."""
        if not self._defaults:
            return None
        fields = self.layout.fields
        by_segment = {
            code: tuple(
                (at, defaults[position], _as_number(fields[position].storage, defaults[position]))
                for at, position in enumerate(chosen)
                if position in defaults
            )
            for code, defaults in self._defaults.items()
        }
        return Fills(self.layout.names.index(SEGMENT), by_segment)


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


@lru_cache(maxsize=256)
def _value_table(storage: Storage, kind: Kind) -> tuple[Value, ...]:
    """The value of every code as a reader hands it out: int, float, str or None."""
    if storage.scale is Scale.NAMES:
        return storage.names + (None,) * (storage.null_code + 1 - len(storage.names))
    values = float_table(storage).tolist()
    if kind is Kind.COUNT:
        return tuple(None if value != value else int(value) for value in values)
    return tuple(None if value != value else value for value in values)


@lru_cache(maxsize=256)
def _number_table(storage: Storage) -> tuple[float, ...]:
    """`float_table` as Python's numbers: one at a time they are found in half the time."""
    return tuple(float_table(storage).tolist())


def _as_number(storage: Storage, value: Value) -> float | None:
    return float(storage.names.index(value)) if isinstance(value, str) else value


def _formats(layout: Layout) -> list[str]:
    return [_CODE_FORMAT[field.storage.width_bytes] for field in layout.fields]
