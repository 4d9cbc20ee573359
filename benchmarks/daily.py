"""The whole daily job through Dagster at growing size: each step's seconds, cores and disk, the memory of all of it.

    python -m benchmarks.daily [customers ...] [--write PAGE]

`make scale` takes 100,000, 1,000,000 and 10,000,000. For each size a year of about ten purchases a customer is
simulated into DuckDB; then two days are computed, checked, published and switched into a Redis server of their own. The
second is shown: it has a day before it to be compared with, and a version in the store that it replaces. Then the 30
days before them are computed in one run; at ten million only three of them, which take 6 GB of disk. `--write` renews
the figures of a page.

The folder BENCHMARK_FOLDER, where it is named, keeps the purchases for the next time. At ten million they take 4 GB of
disk, 25 GB while they are simulated, and a day's tables 2 GB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import redis

from benchmarks.footprint import Footprint, Use, footprint
from benchmarks.population import simulated_warehouse
from benchmarks.servers import redis_server
from benchmarks.table import markdown_table, print_table, write_section
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.versions import active_version, manifest_of
from bnpl_features.warehouse.generations import current_file

SIZES = (100_000, 1_000_000, 10_000_000)
TARGET_SECONDS, TARGET_GIB = 600, 12
NAMESPACE = "scale"
PROJECT = Path(__file__).resolve().parents[1]
COMMAND = "python -m benchmarks.daily"
BACKFILL_DAYS = 30
_BACKFILL_CUSTOMER_DAYS = 30_000_000
_STEPS_SHOWN = 16


@dataclass
class Measured:
    """One size: what the second day took, and what was there before and after."""

    customers: int
    purchases: int = 0
    published: int = 0
    changed: int = 0
    first_seconds: float = 0.0
    whole: Use | None = None
    steps: dict[str, Use] = field(default_factory=dict)
    version_bytes: int = 0
    peak_bytes: int = 0
    server_peak_bytes: int = 0
    backfill: Use | None = None
    backfill_days: int = 0

    @property
    def seconds(self) -> float:
        return self.whole.seconds if self.whole else 0.0

    def step_seconds(self, name: str) -> float:
        return self.steps[name].seconds if name in self.steps else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("customers", type=int, nargs="*", default=SIZES)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    given = parser.parse_args(arguments)
    found = [_measure(size) for size in given.customers]
    tables = [_by_size(found), _by_step(found[-1])]
    for title, columns, rows in tables:
        print_table(title, columns, rows)
    if given.write:
        text = "\n\n".join(f"**{title}**\n\n{markdown_table(columns, rows)}" for title, columns, rows in tables)
        write_section(given.write, COMMAND, text)


Rows = list[tuple[str, ...]]


def _by_size(found: list[Measured]) -> tuple[str, tuple[str, ...], Rows]:
    def row(name: str, value: Callable[[Measured], float], form: str, target: str = "") -> tuple[str, ...]:
        values = [value(one) for one in found]
        return (name, *(f"{one:{form}}" if one else "" for one in values), _growth(found, values), target)

    rows = [
        row("the day, seconds", lambda one: one.seconds, ",.0f", f"{TARGET_SECONDS} at 10M"),
        row("processor seconds", lambda one: one.whole.processor_seconds if one.whole else 0.0, ",.0f"),
        row("the first day, into an empty store, seconds", lambda one: one.first_seconds, ",.0f"),
        row("memory of the job at most, GiB", lambda one: one.peak_bytes / 2**30, ".2f", f"{TARGET_GIB} at 10M"),
        row("memory of the server at most, two versions, GiB", lambda one: one.server_peak_bytes / 2**30, ".2f"),
        row("bytes a customer and version in the server", lambda one: one.version_bytes / one.published, ".1f", "75"),
        row("purchases of a year", lambda one: one.purchases, ",.0f"),
        row("customers published", lambda one: one.published, ",.0f"),
        row("of them changed since the day before", lambda one: one.changed, ",.0f", "1,000,000"),
        row("days of the backfill", lambda one: one.backfill_days, ",.0f"),
        row("backfill, seconds", lambda one: one.backfill.seconds if one.backfill else 0, ",.0f"),
        row("backfill, seconds a day and million customers", _backfill_cost, ".1f"),
        row("backfill, memory at most, GiB", lambda one: one.backfill.peak_bytes / 2**30 if one.backfill else 0, ".2f"),
    ]
    columns = ("", *(f"{one.customers:,}" for one in found), "growth, power of size", "target")
    return "A day by number of customers", columns, rows


def _backfill_cost(one: Measured) -> float:
    return one.backfill.seconds / one.backfill_days / (one.published / 1e6) if one.backfill else 0.0


def _by_step(one: Measured) -> tuple[str, tuple[str, ...], Rows]:
    ranked = sorted(one.steps.items(), key=lambda step: -step[1].seconds)
    rows = [_step_row(name, use) for name, use in ranked[:_STEPS_SHOWN]]
    others = ranked[_STEPS_SHOWN:]
    rows.append(_step_row(f"{len(others)} other steps", _together([use for _, use in others])))
    assert one.whole
    between = one.seconds - sum(use.seconds for use in one.steps.values())
    rows.append(("start, and between steps", f"{between:.1f}", "", "", "", ""))
    rows.append(_step_row("the day", one.whole))
    columns = ("step", "seconds", "cores busy", "read, MB/s", "written, MB/s", "memory, GiB")
    return f"Where the time of {one.customers:,} customers goes", columns, rows


def _step_row(name: str, use: Use) -> tuple[str, ...]:
    seconds = max(use.seconds, 1e-9)
    return (
        name,
        f"{use.seconds:.1f}",
        f"{use.processor_seconds / seconds:.1f}",
        f"{use.read_bytes / seconds / 1e6:.0f}",
        f"{use.written_bytes / seconds / 1e6:.0f}",
        f"{use.peak_bytes / 2**30:.2f}",
    )


def _together(uses: Sequence[Use]) -> Use:
    return Use(
        sum(use.seconds for use in uses),
        sum(use.processor_seconds for use in uses),
        sum(use.read_bytes for use in uses),
        sum(use.written_bytes for use in uses),
        max((use.peak_bytes for use in uses), default=0),
    )


def _growth(found: list[Measured], values: list[float]) -> str:
    """The power of the size with which a value grows between the two largest sizes: 1 is linear, 0 is constant."""
    if len(found) < 2 or min(values[-2:]) <= 0:
        return ""
    return f"{np.log(values[-1] / values[-2]) / np.log(found[-1].customers / found[-2].customers):.2f}"


def _measure(customers: int) -> Measured:
    last = datetime.now(UTC).date() - timedelta(days=1)
    found = Measured(customers)
    kept = os.environ.get("BENCHMARK_FOLDER")
    with (
        tempfile.TemporaryDirectory(dir=kept) as name,
        redis_server(Path(name) / "redis") as url,
    ):
        if url is None:
            sys.exit("this benchmark needs redis-server: apt-get install redis-server")
        folder, client = Path(name), redis.Redis.from_url(url)
        purchases = _purchases(Path(kept or name) / f"purchases-{customers}-{last}", customers, last)
        found.purchases = duckdb.sql(f"SELECT COUNT(*) FROM '{purchases}/*/*.parquet'").fetchall()[0][0]
        (folder / "warehouse").mkdir()
        (folder / "warehouse" / purchases.name).symlink_to(purchases)
        (folder / "dagster").mkdir()
        shutil.copy(PROJECT / "dagster.yaml", folder / "dagster")
        environment = os.environ | {
            "DAGSTER_HOME": str(folder / "dagster"),
            "BNPL_WAREHOUSE_FOLDER": str(folder / "warehouse"),
            "REDIS_URL": url,
            "BNPL_NAMESPACE": NAMESPACE,
            "BNPL_CUSTOMER_KEY": "benchmark" * 3,
        }
        before = int(client.info("memory")["used_memory"])
        days = [last - timedelta(days=1), last]
        with _run(environment, [days[0]]) as job:
            pass
        found.first_seconds = job.whole.seconds
        found.version_bytes = int(client.info("memory")["used_memory"]) - before
        client.config_resetstat()
        with _run(environment, [days[1]]) as job:
            found.steps = {step: job.footprint.between(*span) for step, span in _spans(folder / "dagster").items()}
        found.whole, found.peak_bytes = job.whole, job.footprint.peak_bytes
        found.server_peak_bytes = int(client.info("memory")["used_memory_peak"])
        found.published = _published(client)
        found.changed = _changed(folder / "warehouse" / "feature_vectors", days)
        print(f"{customers:,} customers: {found.seconds:.1f} s, {found.peak_bytes / 2**30:.2f} GiB", file=sys.stderr)
        found.backfill_days = min(BACKFILL_DAYS, _BACKFILL_CUSTOMER_DAYS // customers)
        earlier = [days[0] - timedelta(days=number) for number in range(found.backfill_days, 0, -1)]
        with _run(environment, earlier, "--job", "backfill_features") as job:
            found.backfill = job.whole
    return found


def _purchases(folder: Path, customers: int, last: date) -> Path:
    """The table of purchases; simulated once a folder."""
    table = folder / "transactions"
    if not table.exists():
        simulated_warehouse(folder.with_suffix(".new"), customers, last)
        folder.with_suffix(".new").rename(folder)
    return table


@dataclass
class _Job:
    footprint: Footprint
    started: float
    whole: Use


@contextmanager
def _run(environment: dict[str, str], days: Sequence[date], *options: str) -> Iterator[_Job]:
    """A job of the code location as `bnpl-features run` starts it; the block begins when it has ended."""
    words = [sys.executable, "-m", "automation.launch", *options, *map(str, days)]
    started = time.time()
    process = subprocess.Popen(words, cwd=PROJECT, env=environment)
    with footprint(process.pid) as looks:
        while process.poll() is None:
            time.sleep(0.1)
    if process.returncode:
        sys.exit(f"{' '.join(words)} failed")
    yield _Job(looks, started, looks.between(started, time.time()))


def _spans(dagster_home: Path) -> dict[str, tuple[float, float]]:
    """Start and end of each step of the newest run; the ranges of one publication are one step, they run in turn."""
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        [run] = instance.get_runs(limit=1)
        spans: dict[str, tuple[float, float]] = {}
        for one in instance.get_run_step_stats(run.run_id):
            if one.start_time and one.end_time:
                name = one.step_key.partition("[")[0]
                start, end = spans.get(name, (one.start_time, one.end_time))
                spans[name] = min(start, one.start_time), max(end, one.end_time)
    return spans


def _published(client: redis.Redis) -> int:
    keyspace = Keyspace(NAMESPACE)
    version = active_version(client, keyspace)
    assert version is not None
    return manifest_of(client, keyspace, version).customers


def _changed(vectors: Path, days: Sequence[date]) -> int:
    """Customers of the second day who are new or any of whose features differ."""
    before, after = (current_file(vectors / f"partition_date={day}") for day in days)
    digests = "SELECT customer_id, hash(one) AS digest FROM read_parquet('{}') AS one"
    return int(
        duckdb.sql(
            f"SELECT COUNT(*) FROM ({digests.format(after)}) AS today "
            f"ANTI JOIN ({digests.format(before)}) AS yesterday USING (customer_id, digest)"
        ).fetchall()[0][0]
    )


if __name__ == "__main__":
    main()
