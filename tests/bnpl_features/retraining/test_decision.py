"""A history of days in, a request or a reason against it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from bnpl_features.retraining.decision import Day, Decision, LastRun, Memory, Policy, decide

FIRST = date(2026, 3, 1)
POLICY = Policy(asking_days=3, of_days=5, calm_days=1, cool_down_days=14.0, again_after_days=75)
NOW = datetime(2026, 3, 10, 3, tzinfo=UTC)
DRIFT, CALM = ("amount_mean_30d",), ()


def days(pattern: str, **changes: tuple[str, ...]) -> list[Day]:
    """A letter a day from FIRST on: `d` drifted, `p` performs worse, `.` calm; `changes` are of the newest."""
    made = [
        Day(
            FIRST + timedelta(days=number),
            DRIFT if letter == "d" else CALM,
            ("too many",) if letter == "p" else CALM,
        )
        for number, letter in enumerate(pattern)
    ]
    return [*made[:-1], replace(made[-1], **changes)]  # type: ignore[arg-type]


def decided(
    pattern: str, memory: Memory | None = None, last: LastRun | None = None, **changes: tuple[str, ...]
) -> Decision:
    return decide(days(pattern, **changes), POLICY, memory or Memory(), last, NOW)


def requests(pattern: str, policy: Policy = POLICY) -> list[int]:
    """The days on which a sensor that looks once a day requests a retraining, each of which succeeds at once."""
    asked, memory, last = [], Memory(), None
    history = days(pattern)
    for number in range(len(history)):
        now = datetime(2026, 3, 1, 3, tzinfo=UTC) + timedelta(days=number)
        decision = decide(history[: number + 1], policy, Memory.from_json(memory.to_json()), last, now)
        memory = decision.memory
        if decision.request:
            asked.append(number)
            last = LastRun(now, is_running=False, failed=False)
    return asked


def test_enough_of_the_newest_days_ask() -> None:
    decision = decided("..ddd")

    assert decision.request is not None
    assert decision.request.partition == date(2026, 3, 5)
    assert decision.request.drifted == DRIFT
    assert decision.because == (
        "3 of the newest 5 partitions ask for retraining, to 2026-03-05: drift of amount_mean_30d"
    )
    assert decision.memory == Memory(may_ask=False, requested=date(2026, 3, 5))


@pytest.mark.parametrize("pattern", ["....d", "...dd", "ddd.....", "d....d"])
def test_too_few_of_the_newest_days_ask(pattern: str) -> None:
    decision = decided(pattern)

    assert decision.request is None
    assert "partitions ask for retraining; 3 would have to" in decision.because


def test_nothing_was_checked_yet() -> None:
    assert decide([], POLICY, Memory(), None, NOW).because == "no partition has been checked yet"


def test_performance_asks_like_drift_and_the_reason_names_both() -> None:
    decision = decided("..dpp")

    assert decision.request is not None
    assert decision.because.endswith("drift of amount_mean_30d; too many")


def test_a_drift_that_goes_on_is_requested_once() -> None:
    assert requests("." * 5 + "d" * 60) == [7]


def test_a_flickering_drift_is_requested_once() -> None:
    assert requests("." * 5 + "ddd.dd.d.dd.d.ddd" * 3) == [7]


def test_after_a_calm_another_drift_is_requested() -> None:
    assert requests("." * 5 + "d" * 10 + "." * 20 + "d" * 5) == [7, 37]


def test_after_a_short_calm_the_cool_down_still_holds() -> None:
    assert requests("." * 5 + "d" * 5 + "." * 4 + "d" * 20) == [7, 21]


def test_a_drift_that_goes_on_for_long_is_requested_again_when_its_outcomes_are_mature() -> None:
    assert requests("." * 5 + "d" * 200) == [7, 82, 157]
    assert requests("." * 5 + "d" * 200, replace(POLICY, again_after_days=0)) == [7]


@pytest.mark.parametrize(
    ("last", "because"),
    [
        (LastRun(NOW - timedelta(hours=1), is_running=True, failed=False), "a training is under way"),
        (LastRun(NOW - timedelta(days=13), is_running=False, failed=False), "not before 2026-03-11 03:00"),
    ],
)
def test_not_while_another_trains_nor_soon_after(last: LastRun, because: str) -> None:
    decision = decided("..ddd", last=last)

    assert decision.request is None
    assert because in decision.because
    assert decision.memory.may_ask


def test_not_while_the_newest_partition_may_not_be_published() -> None:
    refused = ("feature_volume:drift failed",)

    assert "may not be published: feature_volume:drift failed" in decided("..ddd", blocked=refused).because
    assert decided("..ddd").request


def test_a_training_that_failed_is_requested_again_with_the_next_partition_and_not_before() -> None:
    failed = LastRun(NOW - timedelta(hours=1), is_running=False, failed=True)
    asked = Memory(may_ask=False, requested=FIRST + timedelta(days=4))

    assert "that was requested with partition 2026-03-05" in decided("..ddd", asked, failed).because
    assert decided("..dddd", asked, failed).request


def test_what_is_remembered_survives_as_text() -> None:
    for memory in (Memory(), Memory(may_ask=False, requested=FIRST)):
        assert Memory.from_json(memory.to_json()) == memory
    assert Memory.from_json(None) == Memory()


def test_the_drift_of_the_newest_day_is_named_first() -> None:
    history: Sequence[Day] = [Day(FIRST, ("a", "b")), Day(FIRST + timedelta(days=1), ("c", "a")), *days("...d")[3:]]

    request = decide(history, POLICY, Memory(), None, NOW).request

    assert request is not None
    assert request.drifted == ("amount_mean_30d", "c", "a", "b")
