"""How often signing in failed lately, by name and address and by address alone: whoever guesses has to wait."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

MOST_FAILURES = {"name": 5, "address": 50}
"""Of a name from an address, so that nobody locks others out; of an address, which an office may share."""

WAIT_SECONDS = 300.0
_MOST_REMEMBERED = 10_000


class Attempts:
    """In the memory of this process: a restart forgets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, ...], tuple[int, float]] = OrderedDict()
        self._lock = Lock()

    def wait_seconds(self, name: str, address: str) -> float:
        """How long until they may try again; 0 is now."""
        now = self._clock()
        with self._lock:
            found = [(subject[0], *self._failures.get(subject, (0, 0.0))) for subject in _subjects(name, address)]
        waits = [WAIT_SECONDS - (now - last) for kind, failures, last in found if failures >= MOST_FAILURES[kind]]
        return max((*waits, 0.0))

    def failed(self, name: str, address: str) -> None:
        now = self._clock()
        with self._lock:
            for subject in _subjects(name, address):
                failures, last = self._failures.pop(subject, (0, now))
                self._failures[subject] = (1 if now - last > WAIT_SECONDS else failures + 1, now)
            while len(self._failures) > _MOST_REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        with self._lock:
            for subject in _subjects(name, address):
                self._failures.pop(subject, None)


def _subjects(name: str, address: str) -> tuple[tuple[str, ...], ...]:
    return ("name", name, address), ("address", address)
