"""How far a publication is: customers done, their rate, the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`done` of `total` customers of a step, `seconds` after it began."""

    step: str
    done: int
    total: int
    seconds: float

    @property
    def customers_per_second(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def remaining_seconds(self) -> float:
        rate = self.customers_per_second
        return (self.total - self.done) / rate if rate else 0.0

    def __str__(self) -> str:
        rate = f"{self.customers_per_second:,.0f}/s, {self.remaining_seconds:,.0f} s left"
        return f"{self.step}: {self.done:,} of {self.total:,} customers, {rate}"


Report = Callable[[Progress], None]


class Pace:
    """Turns counts into `Progress`: a step's clock starts with the first mention of it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._started: dict[str, float] = {}

    def start(self, step: str) -> None:
        self._started.setdefault(step, time.perf_counter())

    def tell(self, step: str, done: int, total: int) -> None:
        self.start(step)
        self._report(Progress(step, done, total, time.perf_counter() - self._started[step]))


def every_tenth(report: Report) -> Report:
    """Passes on one report a tenth of each step: for logs."""
    tenths: dict[str, int] = {}

    def some(progress: Progress) -> None:
        tenth = 10 * progress.done // progress.total if progress.total else 10
        if tenths.get(progress.step) != tenth:
            tenths[progress.step] = tenth
            report(progress)

    return some
