"""The whole daily job through Dagster at growing size: each step's seconds, the memory of all its processes.

    python -m benchmarks.daily [customers ...]          # make scale: 100,000, 1,000,000 and 10,000,000

For each size a year of about ten purchases a customer is simulated into DuckDB; then `bnpl-features run` computes,
checks, publishes and switches one day, into a Redis server of its own. A folder of Parquet files and about 80 bytes of
memory a customer are needed: at ten million 12 GB of disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import redis

from benchmarks.population import simulated_warehouse
from benchmarks.servers import redis_server
from benchmarks.table import print_table

SIZES = (100_000, 1_000_000, 10_000_000)
TARGET_SECONDS, TARGET_GIB = 600.0, 12.0
PROJECT = Path(__file__).resolve().parents[1]
_STEPS_SHOWN = 14
_LOOK_SECONDS = 0.2


@dataclass
class Day:
    """One size: what the job took."""

    customers: int
    purchases: int
    simulated_seconds: float
    seconds: float = 0.0
    steps: Counter[str] = field(default_factory=Counter)
    peak_gib: float = 0.0
    store_bytes: int = 0
    published: int = 0


def main(*sizes: int) -> None:
    days = [_day(size) for size in sizes or SIZES]
    ranked = [name for name, _ in days[-1].steps.most_common(_STEPS_SHOWN)]
    rows = [(name, *(f"{one.steps[name]:.1f}" for one in days), _slope(days, name), "") for name in ranked]
    others = [sum(one.steps.values()) - sum(one.steps[name] for name in ranked) for one in days]
    totals = [one.seconds for one in days]
    rows += [
        ("other steps", *(f"{seconds:.1f}" for seconds in others), _slope_of(days, others), ""),
        ("between steps: Dagster", *(f"{one.seconds - sum(one.steps.values()):.1f}" for one in days), "", ""),
        ("the job", *(f"{seconds:.1f}" for seconds in totals), _slope_of(days, totals), f"{TARGET_SECONDS:.0f} at 10M"),
        ("peak memory of the job, GiB", *(f"{one.peak_gib:.2f}" for one in days), "", f"{TARGET_GIB:.0f} at 10M"),
        ("server memory, bytes a customer", *(f"{one.store_bytes / one.published:.1f}" for one in days), "", "75"),
        ("customers published", *(f"{one.published:,}" for one in days), "", ""),
        ("purchases", *(f"{one.purchases:,}" for one in days), "", ""),
        ("simulated in, seconds", *(f"{one.simulated_seconds:.0f}" for one in days), "", ""),
    ]
    columns = ("seconds of", *(f"{one.customers:,}" for one in days), "growth, power of size", "target")
    print_table("The daily job by customers", columns, rows)


def _day(customers: int) -> Day:
    partition = datetime.now(UTC).date() - timedelta(days=1)
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as name,
        redis_server(Path(name) / "redis") as url,
    ):
        if url is None:
            sys.exit("this benchmark needs redis-server: apt-get install redis-server")
        folder = Path(name)
        started = time.perf_counter()
        _, purchases = simulated_warehouse(folder / "warehouse", customers, partition)
        day = Day(customers, purchases, time.perf_counter() - started)
        (folder / "dagster").mkdir()
        shutil.copy(PROJECT / "dagster.yaml", folder / "dagster")
        settings = {
            "DAGSTER_HOME": str(folder / "dagster"),
            "BNPL_WAREHOUSE_FOLDER": str(folder / "warehouse"),
            "REDIS_URL": url,
            "BNPL_NAMESPACE": "scale",
            "BNPL_CUSTOMER_KEY": "benchmark" * 3,
        }
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "automation.launch", str(partition)], cwd=PROJECT, env={**os.environ, **settings}
        )
        with _watched(process.pid, day):
            if process.wait():
                sys.exit(f"the job failed at {customers:,} customers")
        day.seconds = time.perf_counter() - started
        with dg.DagsterInstance.from_config(str(folder / "dagster")) as instance:
            day.steps = _steps(instance)
        client = redis.Redis.from_url(url)
        day.store_bytes = int(client.info("memory")["used_memory"])
        day.published = _published(client)
    print(f"{customers:,} customers: {day.seconds:.1f} s, {day.peak_gib:.2f} GiB", file=sys.stderr)
    return day


def _published(client: redis.Redis) -> int:
    from bnpl_features.store.keyspace import Keyspace
    from bnpl_features.store.versions import active_version, manifest_of

    keyspace = Keyspace("scale")
    version = active_version(client, keyspace)
    assert version is not None
    return manifest_of(client, keyspace, version).customers


def _steps(instance: dg.DagsterInstance) -> Counter[str]:
    """Seconds by step; the ranges of one publication count as one step."""
    [run] = instance.get_runs()
    seconds: Counter[str] = Counter()
    for one in instance.get_run_step_stats(run.run_id):
        if one.start_time and one.end_time:
            seconds[one.step_key.partition("[")[0]] += one.end_time - one.start_time
    return seconds


@contextmanager
def _watched(pid: int, day: Day) -> Iterator[None]:
    """The most memory that the process and its children held together, proportional set size."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            day.peak_gib = max(day.peak_gib, sum(map(_held_bytes, _family(pid))) / 2**30)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _family(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in listed for one in _family(int(child)))]


def _held_bytes(pid: int) -> int:
    """Shared pages count once among those who share them."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(rollup.partition("Pss:")[2].split()[0]) * 1024


def _slope(days: list[Day], step: str) -> str:
    return _slope_of(days, [one.steps[step] for one in days])


def _slope_of(days: list[Day], seconds: list[float]) -> str:
    """The power of the size with which time grows between the two largest sizes: 1 is linear."""
    if len(days) < 2 or min(seconds[-2:]) <= 0:
        return ""
    (one, other), (before, after) = (days[-2].customers, days[-1].customers), seconds[-2:]
    return f"{np.log(after / before) / np.log(other / one):.2f}"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
