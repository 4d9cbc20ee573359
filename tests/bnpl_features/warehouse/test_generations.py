"""A partition's newest file supersedes the older ones, which stay for those who read them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bnpl_features.warehouse.generations import GRACE_SECONDS, current_file, current_files, next_generation


def write(partition: Path, content: str) -> None:
    with next_generation(partition) as target:
        target.write_text(content)


def test_a_partition_without_a_file_has_no_current_one(tmp_path: Path) -> None:
    assert current_file(tmp_path) is None


def test_the_newest_generation_is_the_current_one(tmp_path: Path) -> None:
    for number in range(1, 12):
        write(tmp_path, str(number))

    current = current_file(tmp_path)

    assert current is not None
    assert current.read_text() == "11"


def test_a_reader_of_a_superseded_file_can_open_it_again(tmp_path: Path) -> None:
    write(tmp_path, "old")
    held = current_file(tmp_path)
    write(tmp_path, "new")

    assert held is not None
    assert held.read_text() == "old"


def test_superseded_files_go_when_nobody_can_be_reading_them(tmp_path: Path) -> None:
    write(tmp_path, "old")
    write(tmp_path, "new")
    long_ago = time.time() - GRACE_SECONDS - 1
    for file in tmp_path.iterdir():
        os.utime(file, (long_ago, long_ago))

    write(tmp_path, "newest")

    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["new", "newest"]


def test_a_writer_that_fails_leaves_the_generation_before(tmp_path: Path) -> None:
    write(tmp_path, "good")

    def fail_half_way() -> None:
        with next_generation(tmp_path) as target:
            target.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_half_way()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["good"]


def test_two_writers_at_once_leave_two_generations(tmp_path: Path) -> None:
    with next_generation(tmp_path) as first:
        first.write_text("ended last")
        write(tmp_path, "ended first")

    current = current_file(tmp_path)

    assert current is not None
    assert current.read_text() == "ended last"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_table_has_one_current_file_a_partition(tmp_path: Path) -> None:
    for day in ("day=1", "day=2"):
        write(tmp_path / day, "old")
        write(tmp_path / day, "new")
    (tmp_path / "day=3").mkdir()

    assert [file.read_text() for file in current_files(tmp_path)] == ["new", "new"]
