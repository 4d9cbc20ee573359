"""What each part of the run takes of the processors, from the kernel's accounts."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from benchmarks.footprint import processor_seconds

LOOK_SECONDS = 0.25
OTHERS = "all else on the machine"
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Accounts:
    """Looks at the parts' processes from time to time, in a thread; a process that ends loses its last look at most."""

    def __init__(self) -> None:
        self._parts: dict[int, str] = {}
        self._last: dict[int, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="accounts", daemon=True)
        self.taken: list[tuple[float, Mapping[str, float]]] = []
        """Moments of the monotonic clock, and the seconds of processor that each part took since the moment before."""

    def add(self, part: str, pid: int) -> None:
        self._parts[pid] = part

    def start(self) -> None:
        self._look()
        self.taken.clear()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def cores(self) -> dict[str, float]:
        """Of each part over the whole time: processors that it kept busy."""
        seconds = self.taken[-1][0] - self.taken[0][0]
        total: dict[str, float] = defaultdict(float)
        for _, found in self.taken[1:]:
            for part, took in found.items():
                total[part] += took
        return {part: took / seconds for part, took in total.items()}

    def _keep_looking(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        found: dict[str, float] = defaultdict(float)
        for pid, part in dict(self._parts).items():
            found[part] += self._since_last(pid, processor_seconds(pid))
        all_of_it = self._since_last(0, _busy_seconds())
        found[OTHERS] = max(all_of_it - sum(found.values()), 0.0)
        self.taken.append((time.monotonic(), dict(found)))

    def _since_last(self, pid: int, seconds: float | None) -> float:
        if seconds is None:
            return 0.0
        before = self._last.get(pid, 0.0 if pid else seconds)
        self._last[pid] = seconds
        return seconds - before


def _busy_seconds() -> float:
    """Of all processors since the machine's start, without waiting; what a hypervisor took counts as busy."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS_A_SECOND
