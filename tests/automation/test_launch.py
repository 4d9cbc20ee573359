"""`python -m automation.launch`, as `bnpl-features run` starts it: what it prints, and how it ends.

A process of its own where one is started, killed or kept waiting; else in this one, which has imported it all.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable

import dagster as dg
import pytest

from automation.launch import FAILED, main
from bnpl_features.simulator import MissingDays
from tests.code_location import DAY, ONE_DAY, PROJECT, TOMORROW, YESTERDAY, CodeLocation


def test_launch_runs_the_day_and_prints_its_checks(location: CodeLocation) -> None:
    launched = _launch(location, TOMORROW.isoformat())
    printed, errors = launched.communicate(timeout=120)

    assert launched.returncode == 0, printed + errors
    assert f"Checks of {TOMORROW}" in printed
    assert "FAIL" not in printed
    assert f"{TOMORROW} succeeded in" in printed
    assert "Warning" not in errors
    assert location.served().partition_date == TOMORROW  # type: ignore[union-attr]


@pytest.fixture
def here(location: CodeLocation, monkeypatch: pytest.MonkeyPatch) -> CodeLocation:
    """The deployment that this process would launch in."""
    for name, value in location.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(location.folder / "dagster"))
    monkeypatch.setattr(logging.getLogger("bnpl_features"), "level", logging.ERROR)  # and as it was afterwards
    assert location.instance
    return location


def test_launch_stops_at_the_first_day_that_fails_and_says_why(
    here: CodeLocation, capsys: pytest.CaptureFixture[str]
) -> None:
    here.receive(MissingDays(DAY, DAY))

    code = main([DAY.isoformat(), TOMORROW.isoformat()])

    printed = capsys.readouterr().out
    assert code == FAILED
    assert f"transactions:volume: {DAY} has no purchases" in printed
    assert f"{DAY} failed in" in printed
    assert f"Checks of {TOMORROW}" not in printed


def test_backfill_of_one_group_is_one_run_over_the_range(
    here: CodeLocation, capsys: pytest.CaptureFixture[str]
) -> None:
    runs_before = here.instance.get_runs_count()
    days = [(YESTERDAY - number * ONE_DAY).isoformat() for number in (7, 6, 5)]

    code = main([*days, "--job", "backfill_features", "--select", "feature_volume"])

    printed = capsys.readouterr().out
    assert code == 0, printed
    assert f"{days[0]} to {days[-1]} succeeded in" in printed
    assert here.instance.get_runs_count() == runs_before + 1
    computed = here.instance.get_materialized_partitions(dg.AssetKey("feature_volume"))
    assert set(days) <= set(computed)
    assert not set(days) & set(here.instance.get_materialized_partitions(dg.AssetKey("feature_device")))


def test_a_set_is_published_alone_with_its_checks(here: CodeLocation, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([DAY.isoformat(), "--job", "publish_sets", "--select", "published_behavioural_2"])

    printed = capsys.readouterr().out
    assert code == 0, printed
    assert "published_behavioural_2" in printed
    assert "published_features" not in printed


def test_publisher_killed_with_its_place_in_the_pool_does_not_block_the_next_run(location: CodeLocation) -> None:
    before, storage = location.served(), location.instance.event_log_storage
    killed = _launch(location, DAY.isoformat(), *_PUBLICATION)
    _wait_until(lambda: bool(storage.get_concurrency_info("publication").claimed_slots))
    killed.kill()
    killed.communicate()
    assert storage.get_concurrency_info("publication").claimed_slots
    assert location.served() == before

    again = _launch(location, DAY.isoformat(), *_PUBLICATION)
    printed, errors = again.communicate(timeout=120)

    assert again.returncode == 0, printed + errors
    assert "was killed before it ended; it counts as failed now" in printed
    assert location.served().partition_date == DAY  # type: ignore[union-attr]


def test_publication_waits_while_another_has_the_place_in_the_pool(location: CodeLocation) -> None:
    storage = location.instance.event_log_storage
    storage.initialize_concurrency_limit_to_default("publication")
    assert storage.claim_concurrency_slot("publication", "another run", "published_features").is_claimed
    launched = _launch(location, DAY.isoformat(), *_PUBLICATION)
    _wait_until(lambda: len(storage.get_concurrency_info("publication").pending_steps) == 2)
    assert launched.poll() is None
    assert location.served().version == 1  # type: ignore[union-attr]

    storage.free_concurrency_slots_for_run("another run")

    printed, errors = launched.communicate(timeout=120)
    assert launched.returncode == 0, printed + errors
    assert location.served().version == 2  # type: ignore[union-attr]


_PUBLICATION = ("--job", "publish_sets", "--select", "published_features")


def _launch(location: CodeLocation, *days: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, **location.variables, "DAGSTER_HOME": str(location.folder / "dagster")}
    assert location.instance
    return subprocess.Popen(
        [sys.executable, "-m", "automation.launch", *days],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
