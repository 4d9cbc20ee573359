"""A publication of ten million customers: how long, how much memory on both sides.

    python -m benchmarks.scale [customers]

Feature vectors are written to Parquet first, as the warehouse holds them. The publisher runs in a process of its own,
whose peak memory is the kernel's figure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.servers import redis_server
from benchmarks.store import KEY, YESTERDAY, random_vectors
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.publishing.progress import Progress, every_tenth
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target

TARGET_SECONDS = 45.0
TARGET_GIB = 4.0
_DIFFERENT_ROWS = 1_000_000
"""Values repeat after that many customers, who all differ: they are made in less time."""


def main(customers: int = 10_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder) / "redis") as url:
        if url is None:
            sys.exit("this benchmark needs redis-server: apt-get install redis-server")
        vectors = Path(folder) / "vectors.parquet"
        scan_seconds = _write(vectors, customers)
        client = connect(url)
        before = int(client.info("memory")["used_memory"])
        words = [sys.executable, "-m", "benchmarks.scale", "--publish", url, str(vectors), str(customers)]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        size = int(client.info("memory")["used_memory"]) - before
        with CustomerFeatureStore(url, namespace="bench", customer_key=KEY, budget_seconds=1.0) as reader:
            reader.get_many([f"cust_{number:08d}" for number in range(0, customers, customers // 1_000)])
            assert reader.counts["fresh"] >= 1_000, reader.counts
    rows = [(step, f"{seconds:.1f}", f"{customers / seconds:,.0f}", "") for step, seconds in found["seconds"].items()]
    rows += [
        ("staged, verified, activated", f"{found['total']:.1f}", f"{customers / found['total']:,.0f}", "45 s"),
        ("one scan of the same file (limit)", f"{scan_seconds:.1f}", f"{customers / scan_seconds:,.0f}", ""),
        ("publisher's peak memory", f"{found['peak_gib']:.2f} GiB", "", "4 GiB"),
        ("server bytes a customer", f"{size / customers:.1f}", "", "75"),
    ]
    print_table(f"Publication of {customers:,} customers to Redis", ("", "seconds", "customers/s", "target"), rows)


def _write(vectors: Path, customers: int) -> float:
    """Seconds that reading the file back takes, decoding every column."""
    layout = layout_of(BEHAVIOURAL)
    made = random_vectors(layout, min(customers, _DIFFERENT_ROWS))
    writer, number = None, 0
    while number < customers:
        for batch in made:
            rows = min(batch.num_rows, customers - number)
            names = pa.array([f"cust_{one:08d}" for one in range(number, number + rows)])
            columns = [names, *(batch.column(name).slice(0, rows) for name in layout.names)]
            renamed = pa.RecordBatch.from_arrays(columns, ["customer_id", *layout.names])
            writer = writer or pq.ParquetWriter(vectors, renamed.schema)
            writer.write_batch(renamed)
            number += rows
            if number == customers:
                break
    assert writer is not None
    writer.close()
    started = time.perf_counter()
    for _ in pq.ParquetFile(vectors).iter_batches():
        pass
    return time.perf_counter() - started


def _publish(url: str, vectors: str, customers: str) -> None:
    layout = layout_of(BEHAVIOURAL)
    target = Target(connect(url), Keyspace("bench"), CustomerKey(KEY))

    def report(progress: Progress) -> None:
        print(progress, file=sys.stderr)

    started = time.perf_counter()
    published = publish(
        target,
        layout,
        customer_batches(pq.ParquetFile(vectors, pre_buffer=False).iter_batches(), layout),
        partition=YESTERDAY,
        customers=int(customers),
        provenance=Provenance(),
        report=every_tenth(report),
    )
    found = {
        "total": time.perf_counter() - started,
        "seconds": dict(published.seconds),
        "peak_gib": _peak_gib(),
    }
    print(json.dumps(found))


def _peak_gib() -> float:
    """Of this program alone: `getrusage` counts what its parent had when it was started."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 2**20


if __name__ == "__main__":
    if sys.argv[1:2] == ["--publish"]:
        _publish(*sys.argv[2:])
    else:
        main(*(int(word) for word in sys.argv[1:2]))
