"""`python -m automation.launch`, as `bnpl-features run` starts it: what it prints, and how it ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import dagster as dg

from automation.launch import FAILED
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


def test_launch_stops_at_the_first_day_that_fails_and_says_why(location: CodeLocation) -> None:
    location.receive(MissingDays(DAY, DAY))

    launched = _launch(location, DAY.isoformat(), TOMORROW.isoformat())
    printed, _ = launched.communicate(timeout=120)

    assert launched.returncode == FAILED
    assert f"transactions:volume: {DAY} has no purchases" in printed
    assert f"{DAY} failed in" in printed
    assert f"Checks of {TOMORROW}" not in printed


def test_backfill_of_one_group_is_one_run_over_the_range(location: CodeLocation) -> None:
    runs_before = location.instance.get_runs_count()
    days = [(YESTERDAY - number * ONE_DAY).isoformat() for number in (7, 6, 5)]

    launched = _launch(location, *days, "--job", "backfill_features", "--select", "feature_volume")
    printed, errors = launched.communicate(timeout=120)

    assert launched.returncode == 0, printed + errors
    assert f"{days[0]} to {days[-1]} succeeded in" in printed
    assert location.instance.get_runs_count() == runs_before + 1
    computed = location.instance.get_materialized_partitions(dg.AssetKey("feature_volume"))
    assert set(days) <= set(computed)
    assert not set(days) & set(location.instance.get_materialized_partitions(dg.AssetKey("feature_device")))


def test_a_set_is_published_alone_with_its_checks(location: CodeLocation) -> None:
    launched = _launch(location, DAY.isoformat(), "--job", "publish_sets", "--select", "published_behavioural_2")
    printed, errors = launched.communicate(timeout=120)

    assert launched.returncode == 0, printed + errors
    assert "published_behavioural_2" in printed
    assert "published_features" not in printed


def test_publisher_killed_with_its_place_in_the_pool_does_not_block_the_next_run(location: CodeLocation) -> None:
    before, storage = location.served(), location.instance.event_log_storage
    killed = _launch(location, DAY.isoformat())
    _wait_until(lambda: bool(storage.get_concurrency_info("publication").claimed_slots))
    killed.kill()
    killed.communicate()
    assert storage.get_concurrency_info("publication").claimed_slots
    assert location.served() == before

    again = _launch(location, DAY.isoformat())
    printed, errors = again.communicate(timeout=120)

    assert again.returncode == 0, printed + errors
    assert "was killed before it ended; it counts as failed now" in printed
    assert location.served().partition_date == DAY  # type: ignore[union-attr]


def test_publication_waits_while_another_has_the_place_in_the_pool(location: CodeLocation) -> None:
    storage = location.instance.event_log_storage
    storage.initialize_concurrency_limit_to_default("publication")
    assert storage.claim_concurrency_slot("publication", "another run", "published_features").is_claimed
    launched = _launch(location, DAY.isoformat(), "--job", "publish_sets", "--select", "published_features")
    _wait_until(lambda: len(storage.get_concurrency_info("publication").pending_steps) == 2)
    assert launched.poll() is None
    assert location.served().version == 1  # type: ignore[union-attr]

    storage.free_concurrency_slots_for_run("another run")

    printed, errors = launched.communicate(timeout=120)
    assert launched.returncode == 0, printed + errors
    assert location.served().version == 2  # type: ignore[union-attr]


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


def _wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
