"""The prediction service under load while everything around it changes: no request fails, no accepted one is lost."""

from __future__ import annotations

import itertools
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bnpl_features.scoring.conftest import YESTERDAY
from tests.bnpl_features.scoring.counter import Load, running, serve_models
from tests.bnpl_features.store.shop import Shop, free_port, mortal_server, wait_until

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@pytest.mark.parametrize(
    "seconds", [pytest.param(3.0, id="some"), pytest.param(60.0, id="a minute", marks=pytest.mark.drill)]
)
def test_swaps_and_a_store_that_comes_and_goes_fail_no_request(tmp_path: Path, seconds: float) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    swaps, outages = 0, 0
    with running(tmp_path / "counter", url, "drill", budget_seconds=0.01) as counter, Load(counter) as load:
        until = time.monotonic() + seconds
        versions = itertools.cycle((2, 3, 1))
        while time.monotonic() < until:
            with mortal_server(tmp_path / f"valkey-{outages}", port) as server:
                Shop(url, "drill").publish(50, YESTERDAY)
                wait_until(lambda: counter.score()["feature_status"] == "fresh", "features are fresh")
                server.send_signal(signal.SIGSTOP)  # hangs before it dies
                serve_models(counter.models, next(versions))
                swaps += 1
                time.sleep(0.5)
            outages += 1
    slowest = sorted(load.seconds)[int(len(load.seconds) * 0.99)]
    print(f"\n{len(load.seconds):,} requests, {swaps} swaps, {outages} outages, p99 {slowest * 1e3:.1f} ms")

    assert load.failures == []
    assert slowest < 0.1


@pytest.mark.parametrize("ends", [pytest.param(2, id="some"), pytest.param(30, id="thirty", marks=pytest.mark.drill)])
def test_every_graceful_end_logs_what_it_answered_and_every_kill_starts_again(tmp_path: Path, ends: int) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with ExitStack() as stack:
        stack.enter_context(mortal_server(tmp_path / "valkey", port))
        Shop(url, "drill").publish(50, YESTERDAY)
        for number in range(ends):
            folder = tmp_path / f"counter-{number}"
            with running(folder, url, "drill", drain_seconds=0.3) as counter, Load(counter) as load:
                time.sleep(0.3)
                counter.process.send_signal(signal.SIGTERM)
                wait_until(lambda one=load: one.is_over, "the end of the load")  # type: ignore[misc]
                assert counter.process.wait(timeout=10) == 0
            assert load.failures == []
            assert len(counter.logged()) == len(load.seconds)
            with running(folder, url, "drill") as counter:
                counter.score()
                counter.stop(signal.SIGKILL)


def test_a_clock_that_jumps_changes_neither_answers_nor_deadlines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not FAKETIME.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("CI has no libfaketime; apt-get install faketime")
        pytest.skip("libfaketime is not installed; apt-get install faketime")
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    clock = tmp_path / "clock"
    clock.write_text("+0")
    with mortal_server(tmp_path / "valkey", port):
        Shop(url, "drill").publish(50, YESTERDAY)
        monkeypatch.setenv("LD_PRELOAD", str(FAKETIME))
        monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
        monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
        monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        with running(tmp_path / "counter", url, "drill") as counter:
            monkeypatch.delenv("LD_PRELOAD")
            found = {}
            for jump in ("+0", "+400d", "-400d", "+0"):
                clock.write_text(jump)
                started = time.monotonic()
                found.setdefault(jump, counter.score()["feature_status"])
                assert time.monotonic() - started < 1.0
            assert counter.stop() == 0

    assert found == {"+0": "fresh", "+400d": "stale", "-400d": "fresh"}
    days = {one["predicted_at"][:10] for one in counter.logged()}
    assert len(days) == 3
    assert len(counter.logged()) == 4
