"""Bucket ranges of one publication on several worker processes at once: customers a second, and what each worker takes.

    python -m benchmarks.ranges [customers]         # 1,000,000

Against a Redis Cluster of three primaries on this machine. The workers are what `place_ranges` is in Dagster: processes
that load the plan from its folder, each with its share of the ranges; without Dagster's own seconds a step. On a
machine with fewer cores than workers and servers need, cores are the limit: what scales is the CPU seconds a million.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from benchmarks.store import random_vectors
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import begin, finish, place
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.publishing.plan import Plan
from bnpl_features.store.target import Target
from tests.fleet import Fleet, cluster

CUSTOMERS = 1_000_000
WORKERS = (1, 2, 4)
_MILLION = 1_000_000


@dataclass(frozen=True)
class Spent:
    """Of one worker: CPU seconds, and the most memory that it had."""

    cpu_seconds: float
    peak_mib: float


def main(customers: int = CUSTOMERS) -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as name:
        folder = Path(name)
        vectors = random_vectors(layout_of(BEHAVIOURAL), customers)
        with cluster(folder / "cluster", replicas=0) as fleet:
            rows = [_row(fleet, folder, vectors, workers) for workers in WORKERS]
    heads = (
        "workers",
        "begin: customers/s",
        "place: customers/s",
        "a worker: CPU s a million",
        "a worker: peak MiB",
        "servers: CPU s a million",
        "finish: s",
    )
    print_table(f"Ranges of {customers:,} customers on several workers, three primaries", heads, rows)


def _row(fleet: Fleet, folder: Path, vectors: list[pa.RecordBatch], workers: int) -> tuple[str, ...]:
    target, customers = _target(fleet.url), sum(batch.num_rows for batch in vectors)
    started = time.perf_counter()
    plan = begin(
        target,
        layout_of(BEHAVIOURAL),
        customer_batches(iter(vectors), layout_of(BEHAVIOURAL)),
        partition=datetime.now(UTC).date() - timedelta(days=1),
        customers=customers,
        provenance=Provenance(actor="benchmark"),
        shared_folder=folder,
    )
    began = time.perf_counter() - started
    shares = [list(range(number, plan.ranges.count, workers)) for number in range(min(workers, plan.ranges.count))]
    context = multiprocessing.get_context("spawn")
    before, spent = _server_cpu(fleet), context.Queue()
    processes = [context.Process(target=_place, args=(fleet.url, str(plan.folder), one, spent)) for one in shares]
    for process in processes:
        process.start()
    told = [spent.get(timeout=3_600) for _ in processes]
    for process in processes:
        process.join()
    placed = max(end for _, _, end in told) - min(start for _, start, _ in told)
    servers = _server_cpu(fleet) - before
    started = time.perf_counter()
    finish(target, plan)
    finished = time.perf_counter() - started
    of_workers = [one for one, _, _ in told]
    return (
        f"{len(shares)}",
        f"{customers / began:,.0f}",
        f"{customers / placed:,.0f}",
        f"{sum(one.cpu_seconds for one in of_workers) / customers * _MILLION:.1f}",
        f"{max(one.peak_mib for one in of_workers):.0f}",
        f"{servers / customers * _MILLION:.1f}",
        f"{finished:.1f}",
    )


def _place(url: str, folder: str, share: Sequence[int], spent: multiprocessing.Queue[object]) -> None:
    """The work of one worker, without the time in which it starts."""
    target = _target(url)
    cpu, started = time.process_time(), time.time()
    place(target, Plan.load(Path(folder)), share)
    spent.put((Spent(time.process_time() - cpu, _peak_mib()), started, time.time()))


def _peak_mib() -> float:
    """Of this program: what `getrusage` tells holds that of the process that started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1_024


def _target(url: str) -> Target:
    return Target(connect(url), Keyspace("ranges"), CustomerKey(b"a secret of the benchmark's own ..."))


def _server_cpu(fleet: Fleet) -> float:
    told = [member.client.info("cpu") for member in fleet.members]
    return sum(float(one["used_cpu_user"]) + float(one["used_cpu_sys"]) for one in told)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
