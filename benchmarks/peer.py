"""Our store beside Feast's Redis online store: the same rows, the same server (the machine's redis-server), one run.

    python -m benchmarks.peer [customers]

Feast lives in a virtual environment of its own (`make .venv-feast/ready`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.servers import redis_server
from benchmarks.store import KEY, YESTERDAY, random_vectors, timed
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target

FEAST = Path(".venv-feast/bin/python")
LOOKUPS = 2_000


@dataclass(frozen=True)
class Figures:
    """`single` and `hundred` are the p50 and p99 of a call, in microseconds."""

    rows_per_second: float
    bytes: float
    single: list[float]
    hundred: list[float]


def main(customers: int = 200_000) -> None:
    layout = layout_of(BEHAVIOURAL)
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder) / "redis") as url:
        if url is None:
            sys.exit("this benchmark needs redis-server: apt-get install redis-server")
        vectors = Path(folder) / "vectors.parquet"
        batches = random_vectors(layout, customers)
        pq.write_table(pa.Table.from_batches(batches), vectors)
        ours = _ours(url, batches, customers)
        connect(url).flushall()
        feast = _feast(folder, vectors, url)
    figures = [
        ("rows written a second", ours.rows_per_second, feast.rows_per_second),
        ("server bytes a customer", ours.bytes, feast.bytes),
        ("one customer, p50, us", ours.single[0], feast.single[0]),
        ("one customer, p99, us", ours.single[1], feast.single[1]),
        ("100 customers, p50, us", ours.hundred[0], feast.hundred[0]),
        ("100 customers, p99, us", ours.hundred[1], feast.hundred[1]),
    ]
    rows = [(name, f"{mine:,.0f}", f"{theirs:,.0f}", f"{mine / theirs:.3f}") for name, mine, theirs in figures]
    print_table(
        f"{customers:,} customers, {len(layout.fields)} features, redis-server on loopback",
        ("figure", "bnpl-features", "Feast", "ours / Feast"),
        rows,
    )


def _ours(url: str, batches: list[pa.RecordBatch], customers: int) -> Figures:
    layout = layout_of(BEHAVIOURAL)
    client = connect(url)
    before = int(client.info("memory")["used_memory"])
    started = time.perf_counter()
    publish(
        Target(client, Keyspace("bench"), CustomerKey(KEY)),
        layout,
        customer_batches(iter(batches), layout),
        partition=YESTERDAY,
        customers=customers,
        provenance=Provenance(),
    )
    seconds = time.perf_counter() - started
    size = int(client.info("memory")["used_memory"]) - before
    chosen = [f"cust_{number:07d}" for number in np.random.default_rng(0).integers(0, customers, LOOKUPS)]
    with CustomerFeatureStore(url, namespace="bench", customer_key=KEY, budget_seconds=1.0) as reader:
        single = [timed(lambda one=one: reader.get(one)) for one in chosen]
        hundred = [timed(lambda n=n: reader.get_many(chosen[n : n + 100])) for n in range(0, LOOKUPS, 100)]
        assert reader.counts["fresh"] == 2 * LOOKUPS, reader.counts
    return Figures(
        customers / seconds,
        size / customers,
        [float(np.percentile(single, p)) * 1e6 for p in (50, 99)],
        [float(np.percentile(hundred, p)) * 1e6 for p in (50, 99)],
    )


def _feast(folder: str, vectors: Path, url: str) -> Figures:
    worker = Path(__file__).with_name("feast_worker.py")
    words = [str(FEAST), str(worker), folder, str(vectors), urlsplit(url).netloc, str(LOOKUPS)]
    environment = {"FEAST_USAGE": "False", "PATH": "/usr/bin:/bin", "HOME": folder}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"Feast failed:\n{done.stderr[-3000:]}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
