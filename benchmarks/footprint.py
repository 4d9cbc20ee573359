"""What a program and its children take while they run: processor time, memory, traffic with the disk."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_LOOK_SECONDS = 0.2
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Look:
    """Running totals of a family of processes at a time (Unix seconds); memory is what it held then."""

    at: float
    processor_seconds: float
    read_bytes: int
    written_bytes: int
    held_bytes: int


@dataclass(frozen=True)
class Use:
    """What was taken between two times."""

    seconds: float
    processor_seconds: float
    read_bytes: int
    written_bytes: int
    peak_bytes: int


@dataclass
class Footprint:
    """Looks in order of time."""

    looks: list[Look] = field(default_factory=list)

    @property
    def peak_bytes(self) -> int:
        return max((look.held_bytes for look in self.looks), default=0)

    def between(self, start: float, end: float) -> Use:
        """From the last look before `start` to the first after `end`: exact to a fifth of a second."""
        before = max((look for look in self.looks if look.at <= start), key=lambda one: one.at, default=self.looks[0])
        after = min((look for look in self.looks if look.at >= end), key=lambda one: one.at, default=self.looks[-1])
        return Use(
            end - start,
            after.processor_seconds - before.processor_seconds,
            after.read_bytes - before.read_bytes,
            after.written_bytes - before.written_bytes,
            max((look.held_bytes for look in self.looks if before.at <= look.at <= after.at), default=0),
        )


@contextmanager
def footprint(pid: int) -> Iterator[Footprint]:
    """Look at the process and its children until the block ends. A child that ended counts with its parent."""
    found, ended = Footprint([_look(pid)]), threading.Event()

    def keep_looking() -> None:
        while not ended.wait(_LOOK_SECONDS):
            if Path(f"/proc/{pid}/stat").exists():
                found.looks.append(_look(pid))

    watcher = threading.Thread(target=keep_looking, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _look(pid: int) -> Look:
    family = _family(pid)
    traffic = [_traffic(one) for one in family]
    return Look(
        time.time(),
        sum(processor_seconds(one) or 0.0 for one in family),
        sum(read for read, _ in traffic),
        sum(written for _, written in traffic),
        sum(map(_held_bytes, family)),
    )


def _family(pid: int) -> list[int]:
    listed = _text(Path(f"/proc/{pid}/task/{pid}/children"), "").split()
    return [pid, *(one for child in listed for one in _family(int(child)))]


def processor_seconds(pid: int) -> float | None:
    """User and system time, also of children that ended and were waited for; None where the process is gone."""
    fields = _text(Path(f"/proc/{pid}/stat"), "").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND if fields else None


def _traffic(pid: int) -> tuple[int, int]:
    """Bytes that went to and from the storage; what the page cache answered is not among them."""
    lines = dict(line.split(": ") for line in _text(Path(f"/proc/{pid}/io"), "").splitlines())
    return int(lines.get("read_bytes", 0)), int(lines.get("write_bytes", 0))


def _held_bytes(pid: int) -> int:
    """Proportional set size: shared pages count once among those who share them."""
    rollup = _text(Path(f"/proc/{pid}/smaps_rollup"), "Pss: 0")
    return int(rollup.partition("Pss:")[2].split()[0]) * 1024


def _text(file: Path, otherwise: str) -> str:
    """Of a process that may end at any time."""
    try:
        return file.read_text() or otherwise
    except OSError:
        return otherwise
