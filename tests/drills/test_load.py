"""The load proof in small: all that is in it happens, and no answer is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.proof.checking import check
from benchmarks.proof.figures import figures, spans
from benchmarks.proof.page import COMMAND, write_page
from benchmarks.proof.running import Plan, run

pytestmark = [
    pytest.mark.drill,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs Debian's redis-server"),
]


def test_half_a_minute_of_everything_gives_no_wrong_answer(tmp_path: Path) -> None:
    page = tmp_path / "load.md"
    page.write_text(f"Before.\n<!-- written by `{COMMAND}` -->\n<!-- end of `{COMMAND}` -->\nAfter.\n")

    found = run(Plan(customers=2_000, seconds=30.0, a_second=200, workers=2), tmp_path)
    verdict = check(found.rows, found.course, found.known, found.bands, found.whole)
    write_page(page, found, verdict)

    assert dict(verdict.why) == {}
    assert [one.version for one in found.course.features] == [1, 2, 3, 2]
    assert [one.version for one in found.course.models] == [1, 2]
    assert (found.rows["status"] == 200).all()
    assert verdict.fallback.mean() < 0.5  # a busy machine overruns the lookups' budget
    assert {one.name for one in spans(found, verdict)} >= {"retraining", "it comes back, as a replica"}
    measured = {one.name: one.measured for one in figures(found, verdict)}
    assert measured["wrong answers"] == "0 of 6,000"
    assert page.read_text().startswith("Before.\n")
    assert page.read_text().endswith("After.\n")
    assert "| wrong answers | 0 of 6,000 | none | yes |" in page.read_text()
    assert (tmp_path / "images" / "load-proof.svg").read_text().count("<path") > 10
