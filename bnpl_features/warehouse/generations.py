"""A partition's file, in generations: a new one is written beside the old, and supersedes it by its number alone.

A file once in place never changes, because DuckDB opens a file more than once by its name while a statement runs: a
rename over it would mix the footer of one file with the rows of the other. Superseded files stay for a while, so that
whoever reads them comes to the end.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

GRACE_SECONDS = 600.0
"""Longer than any statement that could still be reading a superseded file."""

_NUMBERED = re.compile(r"data-(\d+)\.parquet")


def current_file(partition: Path) -> Path | None:
    """The newest generation in a partition's folder; None where there is none."""
    return max(partition.glob("data*.parquet"), key=_generation, default=None)


def current_files(table: Path) -> list[Path]:
    """The newest generation of every partition of a table."""
    found = (current_file(partition) for partition in sorted(table.iterdir()) if partition.is_dir())
    return [file for file in found if file is not None]


@contextmanager
def next_generation(partition: Path) -> Iterator[Path]:
    """A path to write to; when the block ends well, what was written there is the partition's newest generation."""
    partition.mkdir(parents=True, exist_ok=True)
    written = partition / f".{os.getpid()}-{time.monotonic_ns()}.tmp"
    try:
        yield written
        with written.open("rb") as handle:
            os.fsync(handle.fileno())
        _put_in_place(written, partition)
    finally:
        written.unlink(missing_ok=True)
    _remove_superseded(partition)


def _put_in_place(written: Path, partition: Path) -> None:
    """A link fails where the name is taken: of two writers at once one takes the number after the other's."""
    while True:
        newest = current_file(partition)
        number = _generation(newest) + 1 if newest else 1
        try:
            os.link(written, partition / f"data-{number:08d}.parquet")
        except FileExistsError:
            continue
        return


def _remove_superseded(partition: Path) -> None:
    generations = sorted(partition.glob("data*.parquet"), key=_generation)
    for file, successor in pairwise(generations):
        try:
            if time.time() - successor.stat().st_mtime > GRACE_SECONDS:
                file.unlink()
        except FileNotFoundError:
            continue  # another writer was faster


def _generation(file: Path) -> int:
    numbered = _NUMBERED.fullmatch(file.name)
    return int(numbered[1]) if numbered else 0
