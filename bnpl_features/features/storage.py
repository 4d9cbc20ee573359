"""How a feature's value is stored in a record: a small integer code, and the error that costs.

Every storage maps values to unsigned codes of one or two bytes. The highest code of each width means null, so that a
reader needs one table lookup per value and no flags. The arithmetic lives in `store.codec`; this module only says which
mapping is meant, because declarations must load without NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

HALF_LARGEST = 65504.0
HALF_RELATIVE_ERROR = 2.0**-11
HALF_SMALLEST_STEP = 2.0**-24


class Scale(StrEnum):
    """The shape of the mapping from codes to values."""

    EXACT = "exact"
    LINEAR = "linear"
    LOGARITHMIC = "logarithmic"
    HALF = "half"
    NAMES = "names"


@dataclass(frozen=True)
class Storage:
    """One mapping between values and codes; make it with the functions below.

    `low` and `high` bound what can be stored: values outside are stored as the nearest bound and counted as saturated.
    On a logarithmic scale zero has a code of its own and `low` is the smallest positive value.
    """

    scale: Scale
    width_bytes: int
    low: float = 0.0
    high: float = 0.0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.width_bytes not in (1, 2):
            raise ValueError(f"a code takes one or two bytes, not {self.width_bytes}; choose 1 or 2")
        if self.scale in (Scale.LINEAR, Scale.LOGARITHMIC) and not self.low < self.high:
            raise ValueError(f"storage from {self.low} to {self.high} holds nothing; the low bound comes first")
        if self.scale is Scale.LOGARITHMIC and self.low <= 0.0:
            raise ValueError(f"a logarithmic scale starts above zero, not at {self.low}; zero has a code of its own")
        if self.scale is Scale.NAMES and not 0 < len(set(self.names)) == len(self.names) <= self.null_code:
            raise ValueError(f"{len(self.names)} names: give 1 to {self.null_code} different ones")

    @property
    def null_code(self) -> int:
        return (1 << 8 * self.width_bytes) - 1

    @property
    def steps(self) -> int:
        """Number of equal steps between `low` and `high` (linear) or between their logarithms (logarithmic)."""
        return self.null_code - (2 if self.scale is Scale.LOGARITHMIC else 1)

    def largest_error(self, value: float) -> float:
        """The largest |decoded - value| that storing `value`, once inside the bounds, can cause (value's own unit)."""
        if self.scale is Scale.LINEAR:
            return (self.high - self.low) / self.steps / 2
        if self.scale is Scale.LOGARITHMIC:
            if value < self.low:
                return self.low
            return value * math.expm1(math.log(self.high / self.low) / self.steps / 2)
        if self.scale is Scale.HALF:
            return max(abs(value) * HALF_RELATIVE_ERROR, HALF_SMALLEST_STEP / 2)
        return 0.0

    @property
    def error_text(self) -> str:
        """The largest error as a person reads it in the documentation."""
        if self.scale is Scale.LINEAR:
            return f"±{self.largest_error(0.0):.2g}"
        if self.scale is Scale.LOGARITHMIC:
            return f"±{self.largest_error(1.0) if self.low <= 1.0 else 0.0:.2g} relative"
        if self.scale is Scale.HALF:
            return f"±{HALF_RELATIVE_ERROR:.2g} relative"
        return "none"

    def to_json(self) -> dict[str, Any]:
        return {
            "scale": self.scale.value,
            "width_bytes": self.width_bytes,
            "low": self.low,
            "high": self.high,
            "names": list(self.names),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Storage:
        return cls(
            Scale(value["scale"]),
            int(value["width_bytes"]),
            float(value["low"]),
            float(value["high"]),
            tuple(value["names"]),
        )


def exact(*, width_bytes: int) -> Storage:
    """Whole numbers from 0 on, without error; beyond the highest code but one they saturate."""
    return Storage(Scale.EXACT, width_bytes, 0.0, float(256**width_bytes - 2))


def linear(low: float, high: float, *, width_bytes: int) -> Storage:
    """Equal steps from `low` to `high`, both represented exactly."""
    return Storage(Scale.LINEAR, width_bytes, low, high)


def logarithmic(low: float, high: float) -> Storage:
    """Two bytes: zero, then equal ratios from `low` to `high`; the relative error is the same everywhere."""
    return Storage(Scale.LOGARITHMIC, 2, low, high)


def half() -> Storage:
    """Two bytes: IEEE 754 half precision, for values of either sign that span many magnitudes."""
    return Storage(Scale.HALF, 2, -HALF_LARGEST, HALF_LARGEST)


def names(*values: str) -> Storage:
    """One byte: the position of the value in a closed list."""
    return Storage(Scale.NAMES, 1, 0.0, float(len(values) - 1), values)
