"""The prediction service read every few seconds, so that a page has an hour to show when it is opened."""

from __future__ import annotations

from collections import deque
from threading import Event, Lock, Thread

from bnpl_features.console.figures.panel import Panel, panel
from bnpl_features.console.figures.readings import Reading, read_service

EVERY_SECONDS = 5.0
_KEPT = 720
"""An hour."""


class Sampler:
    """Readings of one service, in the memory of this process; a problem is the newest reading's."""

    def __init__(self, url: str, every_seconds: float = EVERY_SECONDS) -> None:
        self.url = url
        self._every_seconds = every_seconds
        self._readings: deque[Reading] = deque(maxlen=_KEPT)
        self._problem = ""
        self._lock, self._stopped = Lock(), Event()

    def start(self) -> None:
        Thread(target=self._run, name="console-sampler", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def read(self) -> None:
        found: Panel[Reading] = panel(lambda: read_service(self.url))
        with self._lock:
            self._problem = found.problem
            if found.value is not None:
                self._readings.append(found.value)

    def readings(self) -> Panel[tuple[Reading, ...]]:
        """Oldest first; those from before a problem stay."""
        with self._lock:
            return Panel(tuple(self._readings), self._problem)

    def _run(self) -> None:
        while True:
            self.read()
            if self._stopped.wait(self._every_seconds):
                return
