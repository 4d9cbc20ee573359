"""What takes too long for a page, looked up beside it and remembered for a while: a page never waits for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, TypeVar

from bnpl_features.console.figures.panel import Panel, panel

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class _Memory:
    found: Panel[Any] | None = None
    at: float = 0.0
    is_asking: bool = False


class Remembered:
    """By name: the newest answer, asked for again in a thread of its own when it is old."""

    def __init__(self) -> None:
        self._memories: dict[str, _Memory] = {}
        self._lock = Lock()

    def look(self, name: str, read: Callable[[], T], seconds: float, *, wait: bool = False) -> Panel[T] | None:
        """The newest answer, however old; None before the first. One that is older than `seconds` is asked for anew.

        With `wait` it is asked for here and now.
        """
        if wait:
            return panel(read)
        with self._lock:
            memory = self._memories.setdefault(name, _Memory())
            is_old = memory.found is None or time.monotonic() - memory.at > seconds
            if is_old and not memory.is_asking:
                memory.is_asking = True
                Thread(target=self._ask, args=(memory, read), name=f"console-{name}", daemon=True).start()
            return memory.found

    def _ask(self, memory: _Memory, read: Callable[[], Any]) -> None:
        found: Panel[Any]
        try:
            found = panel(read)
        except Exception:  # a bug: the panel says so, the log has it
            _log.exception("a look-up of the console failed")
            found = Panel(None, "It failed in a way that nobody foresaw; the console's log has the details.")
        with self._lock:
            memory.found, memory.at, memory.is_asking = found, time.monotonic(), False
