"""Some features of a record, in an order of one's own: a record -> values or a vector; without one, the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnpl_features.features.feature import Value

if TYPE_CHECKING:
    from bnpl_features.store.arrays import Floats


@dataclass(frozen=True, slots=True)
class Fills:
    """What stands for missing values: `by_segment` has, for the code at `position` of a record, triples of a position
    in the projection, the value and its number."""

    position: int
    by_segment: Mapping[int, tuple[tuple[int, Value, float | None], ...]]


class Projection:
    """Decodes some features of a record; without a record they are the declared defaults."""

    __slots__ = ("_default_numbers", "_fills", "_numbers", "_unpack", "_values", "defaults", "names")

    def __init__(
        self,
        names: tuple[str, ...],
        defaults: tuple[Value, ...],
        default_numbers: Sequence[float | None],
        unpack: Callable[[bytes], tuple[int, ...]] = lambda record: (),
        values: Sequence[tuple[int, tuple[Value, ...]]] = (),
        numbers: Sequence[tuple[int, tuple[float, ...]]] = (),
        fills: Fills | None = None,
    ) -> None:
        """`values` and `numbers` have a pair a feature: its position among a record's codes, and its table."""
        self._fills = fills
        self.names = names
        self.defaults = defaults
        self._default_numbers = default_numbers
        self._unpack = unpack
        self._values = tuple(values)
        self._numbers = tuple(numbers)

    def values(self, record: bytes | None) -> tuple[Value, ...]:
        if record is None:
            return self.defaults
        codes = self._unpack(record)
        values = [table[codes[position]] for position, table in self._values]
        if self._fills is not None:
            for at, value, _ in self._fills.by_segment.get(codes[self._fills.position], ()):
                if values[at] is None:
                    values[at] = value
        return tuple(values)

    def value(self, record: bytes | None, name: str) -> Value:
        """One of the values, without decoding the others; what is missing is not filled in."""
        at = self.names.index(name)
        if record is None:
            return self.defaults[at]
        position, table = self._values[at]
        return table[self._unpack(record)[position]]

    def vector(self, record: bytes | None) -> Floats:
        """float64 of the projection's width; null is NaN, a name is its position in the declared list."""
        import numpy as np  # not at the top: importing a reader would take as long again

        if record is None:
            return np.array(self._default_numbers, dtype=np.float64)
        codes = self._unpack(record)
        vector = np.array([table[codes[position]] for position, table in self._numbers], dtype=np.float64)
        if self._fills is not None:
            for at, _, number in self._fills.by_segment.get(codes[self._fills.position], ()):
                if vector[at] != vector[at]:
                    vector[at] = number
        return vector
