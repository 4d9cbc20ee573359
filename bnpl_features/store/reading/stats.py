"""How lookups went: answers by status, each with the time that its call took."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

BOUNDS_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)
"""Upper bounds of the latency histogram; the last bucket has none."""


class LookupStats:
    """Counts since construction; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histograms: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self.corrupt = 0

    def observe(self, answers: Iterable[tuple[str, int]], seconds: float, corrupt: int = 0) -> None:
        """One call's answers, as pairs of status and number, and how long it took."""
        bucket = bisect_left(BOUNDS_SECONDS, seconds)
        with self._lock:
            for status, count in answers:
                histogram = self._histograms.get(status)
                if histogram is None:
                    histogram = self._histograms[status] = [0] * (len(BOUNDS_SECONDS) + 1)
                    self._seconds[status] = 0.0
                histogram[bucket] += count
                self._seconds[status] += seconds * count
            self.corrupt += corrupt

    @property
    def counts(self) -> Counter[str]:
        """Answers by status; `corrupt` records among them where there were any."""
        with self._lock:
            counted = Counter({status: sum(buckets) for status, buckets in self._histograms.items()})
            if self.corrupt:
                counted["corrupt"] = self.corrupt
        return counted

    def histograms(self) -> dict[str, tuple[list[int], float]]:
        """By status: answers in each bucket of `BOUNDS_SECONDS`, and the sum of their seconds."""
        with self._lock:
            return {status: (list(buckets), self._seconds[status]) for status, buckets in self._histograms.items()}
