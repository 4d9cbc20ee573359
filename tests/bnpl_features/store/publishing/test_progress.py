"""How far a publication is, in figures and in a line of a log."""

from __future__ import annotations

import time

import pytest

from bnpl_features.store.publishing.progress import Pace, Progress, every_tenth


def test_rate_and_remaining_time_follow_from_what_was_done() -> None:
    progress = Progress("encode", 250_000, 1_000_000, 2.0)

    assert (progress.customers_per_second, progress.remaining_seconds) == (125_000, 6)
    assert str(progress) == "encode: 250,000 of 1,000,000 customers, 125,000/s, 6 s left"


@pytest.mark.parametrize(("done", "seconds"), [(0, 0.0), (0, 1.0), (5, 0.0)])
def test_progress_of_which_no_rate_is_known_can_be_told(done: int, seconds: float) -> None:
    assert "0 s left" in str(Progress("encode", done, 10, seconds))


def test_nothing_remains_at_the_end() -> None:
    assert Progress("encode", 10, 10, 3.0).remaining_seconds == 0


def test_a_steps_clock_starts_with_the_first_mention_of_it() -> None:
    told: list[Progress] = []
    pace = Pace(told.append)
    pace.start("place")
    time.sleep(0.02)

    pace.tell("place", 1, 2)
    pace.tell("encode", 1, 2)
    pace.start("place")
    pace.tell("place", 2, 2)

    assert [(progress.step, progress.done) for progress in told] == [("place", 1), ("encode", 1), ("place", 2)]
    assert told[0].seconds >= 0.02
    assert told[1].seconds < 0.02
    assert told[2].seconds >= told[0].seconds


def test_a_log_has_a_line_for_each_tenth_of_each_step() -> None:
    told: list[Progress] = []
    report = every_tenth(told.append)

    for done in range(0, 1_001):
        report(Progress("encode", done, 1_000, 1.0))
    for done in (400, 1_000):
        report(Progress("place", done, 1_000, 1.0))

    assert [progress.done for progress in told] == [*range(0, 1_001, 100), 400, 1_000]


def test_a_step_without_customers_is_told_once() -> None:
    told: list[Progress] = []
    report = every_tenth(told.append)

    report(Progress("encode", 0, 0, 1.0))
    report(Progress("encode", 0, 0, 1.0))

    assert len(told) == 1
