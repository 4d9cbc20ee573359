"""One thing that is watched: what it is now, and whether that is as it should be."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.console.figures.panel import Level


@dataclass(frozen=True)
class Signal:
    """`note` says what `value` is about, `advice` what to do where the level is not fine; `page` has more."""

    name: str
    value: str
    note: str
    level: Level
    page: str
    advice: str = ""
