"""Velocity: a worker's throughput, event to visible, the combined lookup, bytes a customer, parity of a million.

    python -m benchmarks.streaming [events]

Worker and server run on this machine's cores together with what drives them; since those may be busy with other work,
the processor time of each stands beside the clock's. Beside the throughput stands Bytewax on such events, where
`make .venv-bytewax/ready` has installed it: windows only, without a store to look them up in.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.servers import redis_server
from benchmarks.store import random_vectors, timed
from benchmarks.streaming_parity import CATEGORIES, DAY, parity
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target
from bnpl_features.store.velocity.applying import Packer, apply
from bnpl_features.streaming.event import encode
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource
from bnpl_features.streaming.worker import Worker

KEY = b"benchmark" * 3
CUSTOMERS = 100_000
QUEUED = 50_000
PEER_EVENTS = 10_000
LOOKUPS = 5_000
PROBES = 500
RATE = 2_000
BYTEWAX = Path(".venv-bytewax/bin/python")


def main(events: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder, embedded_store(Path(folder) / "valkey") as valkey:
        with redis_server(Path(folder) / "redis") as debian:
            urls = {"Valkey 9 (embedded)": valkey} | ({"Redis (Debian)": debian} if debian else {})
            print_table(
                f"One worker, {QUEUED:,} events waiting in the same server's stream",
                ("", "events/s", "worker, us of CPU an event", "server, us of CPU an event", ""),
                [(name, *_throughput(url), "(target 20,000/s)") for name, url in urls.items()] + _peer(folder),
            )
            print_table(
                "Event to visible in a lookup, milliseconds",
                ("", "p50", "p99", ""),
                [(name, *_visible(url), f"at {RATE:,}/s (target p99 50)") for name, url in urls.items()],
            )
            for name, url in urls.items():
                _lookups(name, url)
            print_table(
                "Server bytes an active customer, a day of purchases",
                ("", "bytes", "state alone", ""),
                [(name, *_bytes(url), "(target at most 160)") for name, url in urls.items()],
            )
        if events:
            parity(events, _parts(valkey)[0], Path(folder))


def _throughput(url: str) -> tuple[str, str, str]:
    target, producer, worker = _parts(url)
    dice = random.Random(1)
    now = datetime.now(UTC) - timedelta(minutes=2)
    for start in range(0, QUEUED, 1_000):
        producer.append([_event(dice, start + n, now + timedelta(milliseconds=start + n)) for n in range(1_000)])
    started, worked, served = time.perf_counter(), time.process_time(), _server_seconds(target)
    while worker.turn():
        pass
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    served = _server_seconds(target) - served
    assert worker.measures.events == {"applied": QUEUED}, worker.measures.events
    target.client.flushall()
    return f"{QUEUED / seconds:,.0f}", f"{worked / QUEUED * 1e6:.1f}", f"{served / QUEUED * 1e6:.1f}"


def _server_seconds(target: Target) -> float:
    used = target.client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _visible(url: str) -> tuple[str, str]:
    """A probe among the events of each hundredth of a second; the worker is a process of its own."""
    target, producer, _ = _parts(url)
    _publish(target, 1_000)
    dice = random.Random(2)
    took = []
    with _worker_process(url), _reader(url, velocity=True) as reader:
        time.sleep(2.0)
        begun = time.perf_counter()
        for number in range(PROBES):
            wait = begun + number * 20 / RATE - time.perf_counter()
            time.sleep(max(wait, 0.0))
            now = datetime.now(UTC)
            batch = [_event(dice, number * 100 + n, now) for n in range(19)]
            batch.append(_event(dice, number, now, customer_id=f"probe-{number}", status="completed"))
            sent = time.perf_counter()
            producer.append(batch)
            while _count(reader, f"probe-{number}") == 0:
                pass
            took.append((time.perf_counter() - sent) * 1e3)
    target.client.flushall()
    return f"{np.percentile(took, 50):.1f}", f"{np.percentile(took, 99):.1f}"


def _lookups(name: str, url: str) -> None:
    """The two readers in turn, so that both meet the same noise; every value is decoded."""
    target, _, _ = _parts(url)
    _publish(target, CUSTOMERS)
    packer, now_ms = Packer(CustomerKey(KEY)), int(time.time() * 1000)
    for start in range(0, CUSTOMERS, 1_000):
        some = [
            packer.packed(f"cust_{n:07d}", f"t{n}-{back}", now_ms - back * 7_200_000, 5_000, f"d{n}", "home")
            for n in range(start, start + 1_000)
            for back in (2, 1)
        ]
        apply(target.client, target.keyspace, some, now_ms)
    chosen = [f"cust_{n:07d}" for n in np.random.default_rng(0).integers(0, CUSTOMERS, LOOKUPS)]
    with _reader(url) as plain, _reader(url, velocity=True) as both:
        daily, combined, scored = [], [], []
        for customer_id in chosen:
            daily.append(timed(lambda c=customer_id: plain.get(c).values))
            combined.append(timed(lambda c=customer_id: both.get(c).values))
            scored.append(timed(lambda c=customer_id: _all_values(both, c)))
    base = float(np.median(daily))
    micros = [np.percentile(found, (50, 99)) * 1e6 for found in (daily, combined, scored)]
    rows = [
        ("daily features", *(f"{one:.0f}" for one in micros[0]), ""),
        ("and velocity's state", *(f"{one:.0f}" for one in micros[1]), _times(combined, base)),
        ("and its ten features", *(f"{one:.0f}" for one in micros[2]), _times(scored, base)),
    ]
    print_table(f"{LOOKUPS:,} lookups from {name}, microseconds", ("", "p50", "p99", "(target 1.3 times)"), rows)
    target.client.flushall()


def _bytes(url: str) -> tuple[str, str]:
    """Customers who bought one to three times that day."""
    target, _, _ = _parts(url)
    before = int(target.client.info("memory")["used_memory"])
    packer, dice = Packer(CustomerKey(KEY)), random.Random(3)
    midnight_ms = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()) * 1000
    purchases = sorted(
        (midnight_ms + dice.randrange(86_400_000), number)
        for number in range(CUSTOMERS)
        for _ in range(dice.choices((1, 2, 3), (70, 20, 10))[0])
    )
    for start in range(0, len(purchases), 1_000):
        some = [
            packer.packed(f"c{n}", f"t{at_ms}", at_ms, 5_000, f"d{n}-{dice.randrange(2)}", dice.choice(CATEGORIES))
            for at_ms, n in purchases[start : start + 1_000]
        ]
        apply(target.client, target.keyspace, some, some and purchases[start][0])
    used = int(target.client.info("memory")["used_memory"]) - before
    sizes = [
        len(value)
        for bucket in range(0, 4_096, 64)
        for value in target.client.hgetall(target.keyspace.velocity_bucket(bucket)).values()
    ]
    target.client.flushall()
    return f"{used / CUSTOMERS:.0f}", f"{np.mean(sizes):.0f}"


def _event(dice: random.Random, number: int, moment: datetime, **changes: str) -> bytes:
    customer = dice.randrange(CUSTOMERS)
    given = {
        "transaction_id": f"t{number}-{moment.timestamp()}",
        "customer_id": f"cust_{customer:07d}",
        "transaction_timestamp": moment,
        "amount": 49.99,
        "status": "completed",
        "device_id": f"d{customer}",
        "product_category": dice.choice(CATEGORIES),
    }
    return encode(given | changes)


def _parts(url: str) -> tuple[Target, RedisProducer, Worker]:
    target = Target(connect(url), Keyspace("bench"), CustomerKey(KEY))
    stream = target.keyspace.purchases
    source = RedisSource(connect(url), stream, "velocity")
    return target, RedisProducer(connect(url), stream, "velocity"), Worker(source, target)


def _publish(target: Target, customers: int) -> None:
    layout = layout_of(BEHAVIOURAL)
    batches = customer_batches(iter(random_vectors(layout, customers)), layout)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    publish(target, layout, batches, partition=yesterday, customers=customers, provenance=Provenance())


def _reader(url: str, **options: Any) -> CustomerFeatureStore:
    return CustomerFeatureStore(url, namespace="bench", customer_key=KEY, budget_seconds=1.0, **options)


def _count(reader: CustomerFeatureStore, customer_id: str) -> Any:
    velocity = reader.get(customer_id).velocity
    return velocity.values()[0] if velocity else 0


def _all_values(reader: CustomerFeatureStore, customer_id: str) -> None:
    answer = reader.get(customer_id)
    assert answer.velocity
    _ = answer.values, answer.velocity.values(49.99, 80.0)


def _times(found: list[float], base: float) -> str:
    return f"{float(np.median(found)) / base:.2f} times"


@contextmanager
def _worker_process(url: str) -> Iterator[None]:
    settings = {"REDIS_URL": url, "BNPL_NAMESPACE": "bench", "BNPL_CUSTOMER_KEY": KEY.decode()}
    words = [sys.executable, "-c", "from bnpl_features.cli import main; main()", "stream", "work"]
    process = subprocess.Popen(words, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _peer(folder: str) -> list[tuple[str, ...]]:
    if not BYTEWAX.exists():
        return [("Bytewax", "", "", "", "not installed: make .venv-bytewax/ready")]
    dice, now = random.Random(1), datetime.now(UTC)
    file = Path(folder) / "events.ndjson"
    with file.open("wb") as lines:
        for number in range(PEER_EVENTS):
            lines.write(_event(dice, number, now + timedelta(milliseconds=number)) + b"\n")
    told = subprocess.run([BYTEWAX, "benchmarks/bytewax_worker.py", str(file)], capture_output=True, check=True)
    cpu = json.loads(told.stdout)["cpu_seconds"]
    seconds = json.loads(told.stdout)["seconds"]
    figures = f"{PEER_EVENTS / seconds:,.0f}", f"{cpu / PEER_EVENTS * 1e6:.1f}", ""
    return [("Bytewax", *figures, "windows of 1 h every 5 min: counts and sums, in its own memory")]


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
