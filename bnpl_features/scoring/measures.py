"""What the service counts."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Upper bounds of the latency histogram; the last bucket has none."""


class Measures:
    """Counts since the start; only the event loop adds to them."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.predictions: Counter[tuple[str, ...]] = Counter()
        self.deprecated: Counter[str] = Counter()
        self.late_reasons = 0
        self.timed_out = 0
        self.seconds: dict[str, tuple[list[int], float]] = {}
        """By path: requests in each bucket of `BOUNDS_SECONDS`, and the sum of their seconds."""

    def answered(self, path: str, status: int, seconds: float) -> None:
        self.requests[path, status] += 1
        buckets, total = self.seconds.get(path) or ([0] * (len(BOUNDS_SECONDS) + 1), 0.0)
        buckets[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.seconds[path] = (buckets, total + seconds)
