"""What may change while the service runs: looked at in the background, and replaced as a whole when it did."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from bnpl_features.errors import BnplFeaturesError

T = TypeVar("T")

_LOG = logging.getLogger("bnpl_features.scoring")


class Followed(Generic[T]):
    """A value that requests read without waiting. Whatever goes wrong while looking, the value at hand stays.

    `look` returns None where nothing has changed; it is called from one thread at a time.
    """

    def __init__(self, name: str, value: T, look: Callable[[], T | None]) -> None:
        self.name = name
        self.value = value
        self.changes = 0
        self.failures = 0
        self._look = look
        self._said = ""

    def look(self) -> None:
        try:
            found = self._look()
        except (BnplFeaturesError, OSError) as error:
            self._failed(str(error))
        except Exception as error:
            # A thread that died would hold the service at what it has for good.
            _LOG.exception("keep %s at hand", self.name)
            self._failed(str(error))
        else:
            self._said = ""
            if found is not None:
                self.value = found
                self.changes += 1

    def _failed(self, says: str) -> None:
        self.failures += 1
        if says != self._said:
            _LOG.error("keep %s at hand: %s", self.name, says)
            self._said = says


class Follower:
    """One thread that looks at several values, every `interval_seconds` of the monotonic clock."""

    def __init__(self, followed: Sequence[Followed[Any]], interval_seconds: float) -> None:
        self._followed = tuple(followed)
        self._interval_seconds = interval_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="scoring-follower", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def _follow(self) -> None:
        while not self._stopped.wait(self._interval_seconds):
            for one in self._followed:
                one.look()
