"""The online store: publication, bytes a customer, one lookup beside a raw socket round trip of the same bytes.

    python -m benchmarks.store [customers]

Publication reads vectors from a Parquet partition, as the daily job does; the limit beside it is a plain socket that
sends the same commands without encoding, hashing or verifying anything.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import redis

from benchmarks.servers import redis_server
from benchmarks.table import print_table
from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.storage import Scale
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target

LOOKUPS = 20_000
BATCH_ROWS = 100_000
KEY = b"benchmark" * 3
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def main(customers: int = 1_000_000) -> None:
    layout = layout_of(BEHAVIOURAL)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        vectors = random_vectors(layout, customers)
        urls = {"Valkey 9 (embedded)": servers.enter_context(embedded_store(Path(folder) / "valkey"))}
        redis_url = servers.enter_context(redis_server(Path(folder) / "redis"))
        if redis_url:
            urls["Redis (Debian)"] = redis_url
        for name, url in urls.items():
            _publication(name, url, layout, vectors, customers)
            _lookups(name, url, customers)


def _publication(name: str, url: str, layout: Layout, vectors: list[pa.RecordBatch], customers: int) -> None:
    client = connect(url)
    target = Target(client, Keyspace("bench"), CustomerKey(KEY))
    before = int(client.info("memory")["used_memory"])
    started = time.perf_counter()
    batches = customer_batches(iter(vectors), layout)
    published = publish(target, layout, batches, partition=YESTERDAY, customers=customers, provenance=Provenance())
    seconds = time.perf_counter() - started
    size = int(client.info("memory")["used_memory"]) - before
    rows = [
        (step, f"{took:.2f}", f"{customers / took:,.0f}" if took > 0.1 else "")
        for step, took in published.seconds.items()
    ]
    rows.append(("staged, verified, activated", f"{seconds:.2f}", f"{customers / seconds:,.0f} (target 400,000)"))
    rows.append(("server bytes a customer", f"{size / customers:.1f}", "(target at most 75)"))
    print_table(f"Publication of {customers:,} customers to {name}", ("step", "seconds", "customers/s"), rows)


def _lookups(name: str, url: str, customers: int) -> None:
    """Ours and the bare round trip in turn, so that both meet the same noise."""
    identifiers = [f"cust_{number:07d}" for number in np.random.default_rng(0).integers(0, customers, LOOKUPS)]
    with CustomerFeatureStore(url, namespace="bench", customer_key=KEY, budget_seconds=1.0) as reader:
        served = reader.served
        assert served is not None
        raw = _raw_socket(url)
        ours, bare, lib = [], [], []
        client = redis.Redis.from_url(url, protocol=2)
        for customer_id in identifiers:
            command = served.request(customer_id)[1]
            bare.append(timed(lambda command=command: (raw.sendall(command), raw.recv(4096))))
            ours.append(timed(lambda customer_id=customer_id: reader.get(customer_id)))
            lib.append(timed(client.ping))
        assert reader.counts["fresh"] == LOOKUPS, reader.counts
        hundred = [timed(lambda n=n: reader.get_many(identifiers[n : n + 100])) for n in range(0, 10_000, 100)]
    ratio = np.median(ours) / np.median(bare)
    rows = [
        ("raw socket, the same bytes (limit)", *_percentiles(bare), ""),
        ("client.get", *_percentiles(ours), f"{ratio:.2f} times raw (target at most 1.25)"),
        ("redis-py PING", *_percentiles(lib), ""),
        ("client.get_many of 100", *_percentiles(hundred), ""),
    ]
    print_table(f"{LOOKUPS:,} lookups from {name}, microseconds", ("call", "p50", "p99", ""), rows)


def random_vectors(layout: Layout, customers: int, seed: int = 0) -> list[pa.RecordBatch]:
    """Random vectors over each feature's range, a tenth of them null."""
    random = np.random.default_rng(seed)
    batches = []
    for start in range(0, customers, BATCH_ROWS):
        rows = min(BATCH_ROWS, customers - start)
        columns: dict[str, pa.Array] = {
            "customer_id": pa.array([f"cust_{number:07d}" for number in range(start, start + rows)])
        }
        for field in layout.fields:
            null = random.random(rows) < 0.1
            if field.storage.scale is Scale.NAMES:
                columns[field.name] = pa.array(random.choice(field.storage.names, rows))
            elif field.storage.scale is Scale.EXACT:
                columns[field.name] = pa.array(random.integers(0, 50, rows), mask=null)
            else:
                columns[field.name] = pa.array(random.gamma(1.0, 0.2, rows), mask=null)
        batches.append(pa.RecordBatch.from_pydict(columns))
    return batches


def _raw_socket(url: str) -> socket.socket:
    address = urlsplit(url)
    raw = socket.create_connection((address.hostname, address.port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return raw


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _percentiles(seconds: list[float]) -> tuple[str, str]:
    return f"{np.percentile(seconds, 50) * 1e6:,.0f}", f"{np.percentile(seconds, 99) * 1e6:,.0f}"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
