"""A picture of one or more series over time or along a scale, as console.js draws it with uPlot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Chart:
    """`values` has one list a series, as long as `x`; x is seconds since the epoch where it is time. None is a gap.

    `summary` is what the picture shows, in words, for those who do not see it.
    """

    title: str
    unit: str
    series: Sequence[str]
    x: Sequence[float]
    values: Sequence[Sequence[float | None]]
    summary: str
    is_time: bool = True

    def as_json(self) -> str:
        shown = {"series": self.series, "x": self.x, "values": self.values, "time": self.is_time}
        return json.dumps(shown, separators=(",", ":"))
