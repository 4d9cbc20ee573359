"""A circuit breaker: after failures in a row, stop asking for a while, then let one attempt through."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass
class Breaker:
    """Open for `open_seconds` after `threshold` failures in a row. Races between threads cost one attempt at most."""

    threshold: int = 5
    open_seconds: float = 1.0
    _failures: int = 0
    _failed_at: float = 0.0
    _closed_at: float = 0.0

    def allows(self) -> bool:
        """Whether to try; an open circuit lets one attempt through each `open_seconds`."""
        if self._failures < self.threshold:
            return True
        now = time.monotonic()
        if now < self._closed_at:
            return False
        self._closed_at = now + self.open_seconds
        return True

    @property
    def is_open(self) -> bool:
        return self._failures >= self.threshold

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, asked_at: float = math.inf) -> None:
        """`asked_at` is when the attempt began. Attempts that were under way together fail together: that is one
        failure, or a moment's silence under load would open the circuit at once."""
        if asked_at < self._failed_at:
            return
        self._failed_at = time.monotonic()
        self._failures += 1
        if self._failures >= self.threshold:
            self._closed_at = self._failed_at + self.open_seconds
