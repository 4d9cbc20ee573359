"""Values <-> records: every feature is a table from codes to values, so decoding is a lookup and null needs no flag."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from bnpl_features.derive.layout import TAG_BYTES, Layout
from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.feature import Kind, Value
from bnpl_features.features.segment import SEGMENT
from bnpl_features.features.storage import Scale, Storage
from bnpl_features.store.projection import Fills, Projection

if TYPE_CHECKING:
    from bnpl_features.store.arrays import Encoded, Floats, Records

_CODE_FORMAT = {1: "B", 2: "H"}


class Codec:
    """Encodes and decodes the records of one layout."""

    def __init__(self, layout: Layout) -> None:
        """Raises `LayoutMismatch` where the layout names a feature twice."""
        if len(set(layout.names)) < len(layout.names):
            raise LayoutMismatch(
                f"a layout of {layout.feature_set} names a feature twice; roll back to another version"
            )
        self.layout = layout
        self._width = layout.width_bytes
        self._tag = layout.tag
        self._unpack = struct.Struct("<" + "x" * TAG_BYTES + "".join(_formats(layout))).unpack

    def encode(self, columns: Mapping[str, Floats]) -> Encoded:
        """Records from one float64 array a feature: NaN is null, a name is its position in the declared list."""
        from bnpl_features.store import arrays

        return arrays.encode(self.layout, columns)

    def decode(self, records: Records) -> Floats:
        """A matrix of (records, features) in the layout's order, from `(n, width_bytes)` bytes; null is NaN."""
        from bnpl_features.store import arrays

        fields = self.layout.fields
        numbers = {
            code: {at: _as_number(fields[at].storage, default) for at, default in defaults.items()}
            for code, defaults in self._defaults.items()
        }
        return arrays.decode(self.layout, records, numbers)

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


@lru_cache(maxsize=256)
def _value_table(storage: Storage, kind: Kind) -> tuple[Value, ...]:
    """The value of every code as a reader hands it out: int, float, str or None."""
    if storage.scale is Scale.NAMES:
        return storage.names + (None,) * (storage.null_code + 1 - len(storage.names))
    values = _number_table(storage)
    if kind is Kind.COUNT:
        return tuple(None if value != value else int(value) for value in values)
    return tuple(None if value != value else value for value in values)


@lru_cache(maxsize=256)
def _number_table(storage: Storage) -> tuple[float, ...]:
    """`float_table` as Python's numbers: one at a time they are found in half the time."""
    # Not at the top: importing a reader would take as long again (tests/test_release.py).
    from bnpl_features.store.arrays import float_table

    return tuple(float_table(storage).tolist())


def _as_number(storage: Storage, value: Value) -> float | None:
    return float(storage.names.index(value)) if isinstance(value, str) else value


def _formats(layout: Layout) -> list[str]:
    return [_CODE_FORMAT[field.storage.width_bytes] for field in layout.fields]
