"""Shares change, customers stay; and who is in which arm is told by a salted hash alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.errors import ExperimentRefused
from bnpl_features.scoring.experiments.allocation import BUCKETS, NOBODY, allocate, moved, reallocate
from bnpl_features.scoring.experiments.assignment import Assignments, bucket_of, salted
from bnpl_features.scoring.experiments.definition import Arm, Definitions, Request, adjust, start, stop

ARMS = (Arm("champion"), Arm("new", "behavioural", 2))
SHARES = st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)).filter(lambda s: sum(s) <= 100)


def begun(champion: float = 0.5, new: float = 0.5, salt: str = "salt") -> Definitions:
    request = Request("trial", ((ARMS[0], champion), (ARMS[1], new)))
    return start(Definitions(), request, salt=salt, now=1.0, actor="tester", reason="test")


@given(SHARES, SHARES)
def test_as_few_customers_change_their_arm_as_the_shares_allow(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    first = allocate(dict(zip("abc", (share / 100 for share in before), strict=True)))
    second = reallocate(first, dict(zip("abc", (share / 100 for share in after), strict=True)))

    assert [second.count(arm) for arm in "abc"] == [100 * share for share in after]
    stayed = sum(one == other != "" for one, other in zip(first.by_bucket(), second.by_bucket(), strict=True))
    assert stayed == sum(100 * min(one, other) for one, other in zip(before, after, strict=True))


def test_ramp_moves_nobody_from_one_arm_to_another() -> None:
    steps = [allocate({"champion": share, "new": share}) for share in (0.01,)]
    for share in (0.05, 0.1, 0.25, 0.5):
        steps.append(reallocate(steps[-1], {"champion": share, "new": share}))

    assert [moved(one, other) for one, other in pairwise(steps)] == [0, 0, 0, 0]


def test_shares_are_met_and_two_salts_are_independent() -> None:
    one, other = Assignments(begun(0.8, 0.2)), Assignments(begun(0.8, 0.2, salt="another"))
    pairs = Counter(
        (one.of(f"c{n}").arm, other.of(f"c{n}").arm)  # type: ignore[union-attr]
        for n in range(20_000)
    )

    assert abs(sum(count for pair, count in pairs.items() if pair[0] == "new") / 20_000 - 0.2) < 0.01
    assert abs(pairs["new", "new"] / 20_000 - 0.04) < 0.005


def test_assignment_never_changes_between_releases() -> None:
    assert [bucket_of(salted("salt"), f"customer-{n}") for n in range(3)] == EXPECTED_BUCKETS


def test_stopped_experiment_assigns_nobody() -> None:
    assert Assignments(stop(begun(), "trial", now=2.0, because="done")).of("c1") is None


@pytest.mark.parametrize("shares", [{"a": 0.7, "b": 0.7}, {"a": -0.1}, {"a": 1.5}])
def test_impossible_shares_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ExperimentRefused):
        reallocate(NOBODY, shares)


@pytest.mark.parametrize(
    "request_",
    [
        Request("Trial", ((ARMS[0], 0.5),)),
        Request("trial", ((ARMS[1], 0.5),)),
        Request("trial", ((ARMS[0], 0.5), (ARMS[0], 0.5))),
    ],
)
def test_experiment_that_could_not_be_judged_is_refused(request_: Request) -> None:
    with pytest.raises(ExperimentRefused):
        start(Definitions(), request_, salt="s", now=1.0, actor="tester", reason="test")


def test_second_experiment_and_unknown_arms_are_refused() -> None:
    with pytest.raises(ExperimentRefused, match="is running"):
        start(begun(), Request("two", ((ARMS[0], 0.5),)), salt="s", now=1.0, actor="t", reason="r")
    with pytest.raises(ExperimentRefused, match="all arms"):
        adjust(begun(), "trial", {"champion": 1.0}, now=2.0)


def test_all_buckets_are_used() -> None:
    assert {bucket_of(salted("s"), str(n)) for n in range(200_000)} == set(range(BUCKETS))


EXPECTED_BUCKETS = [7909, 1325, 5519]
