"""Lookups under load: a steady rate for a minute, and as many as one core answers at once.

python -m benchmarks.load [customers] [seconds]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import redis.asyncio

from benchmarks.servers import redis_server
from benchmarks.store import KEY, YESTERDAY, random_vectors
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target

RATE_PER_SECOND = 1_700
"""100,000 predictions a minute."""

AT_ONCE = 64
CONCURRENT_LOOKUPS = 200_000


def main(customers: int = 200_000, seconds: float = 60.0) -> None:
    with _server() as (name, url):
        layout = layout_of(BEHAVIOURAL)
        target = Target(connect(url), Keyspace("bench"), CustomerKey(KEY))
        batches = customer_batches(iter(random_vectors(layout, customers)), layout)
        publish(target, layout, batches, partition=YESTERDAY, customers=customers, provenance=Provenance())
        identifiers = [f"cust_{n:07d}" for n in np.random.default_rng(0).integers(0, customers, CONCURRENT_LOOKUPS)]
        _steady(name, url, identifiers, seconds)
        _concurrent(name, url, identifiers)


def _steady(name: str, url: str, identifiers: list[str], seconds: float) -> None:
    """Each lookup has its time; one that begins late counts its wait, so a stall is not left out of the percentiles."""
    wanted = int(seconds * RATE_PER_SECOND)
    took, waited = np.empty(wanted), np.empty(wanted)
    with CustomerFeatureStore(url, namespace="bench", customer_key=KEY) as reader:
        reader.get(identifiers[0])
        started = time.perf_counter()
        for number in range(wanted):
            due = started + number / RATE_PER_SECOND
            while (early := due - time.perf_counter()) > 0:
                time.sleep(early if early > 0.0002 else 0)
            began = time.perf_counter()
            _ = reader.get(identifiers[number % len(identifiers)]).vector
            ended = time.perf_counter()
            took[number], waited[number] = ended - began, ended - due
        rate = wanted / (time.perf_counter() - started)
        counts = reader.counts
    rows = [
        ("from the call", *_percentiles(took), "p99 under 1,000"),
        ("from the time that it was due", *_percentiles(waited), ""),
    ]
    title = f"{wanted:,} lookups from {name} at {rate:,.0f}/s for {seconds:g} s, microseconds; answers {dict(counts)}"
    print_table(title, ("measured", "p50", "p99", "p99.9", "longest", "target"), rows)


def _concurrent(name: str, url: str, identifiers: list[str]) -> None:
    ours, cpu = asyncio.run(_ours(url, identifiers))
    theirs = asyncio.run(_redis_py(url, identifiers[: len(identifiers) // 4]))
    rows = [
        (f"ours, {AT_ONCE} at once", f"{ours:,.0f}", f"{cpu:.0%} of a core", "50,000"),
        (f"redis-py HGET alone, {AT_ONCE} at once", f"{theirs:,.0f}", "", ""),
    ]
    print_table(f"Concurrent asyncio lookups from {name}", ("client", "lookups/s", "busy", "target"), rows)


async def _ours(url: str, identifiers: list[str]) -> tuple[float, float]:
    options = {"namespace": "bench", "customer_key": KEY, "budget_seconds": 1.0}
    async with await AsyncCustomerFeatureStore.open(url, **options) as reader:  # type: ignore[arg-type]

        async def ask(some: list[str]) -> None:
            for customer_id in some:
                await reader.get(customer_id)

        await ask(identifiers[:100])
        cpu, started = time.process_time(), time.perf_counter()
        await asyncio.gather(*[ask(identifiers[number::AT_ONCE]) for number in range(AT_ONCE)])
        seconds = time.perf_counter() - started
        assert reader.counts == {"fresh": len(identifiers) + 100}, reader.counts
        return len(identifiers) / seconds, (time.process_time() - cpu) / seconds


async def _redis_py(url: str, identifiers: list[str]) -> float:
    """The same buckets and fields asked for with the client library's own call; nothing is decoded."""
    with CustomerFeatureStore(url, namespace="bench", customer_key=KEY) as reader:
        served = reader.served
        assert served is not None
        requests = [served.request(customer_id) for customer_id in identifiers]
    fields = [command.rsplit(b"\r\n$6\r\n", 1)[1][:6] for _, command in requests]
    client = redis.asyncio.Redis.from_url(url, protocol=2, max_connections=AT_ONCE)

    async def ask(first: int) -> None:
        for number in range(first, len(requests), AT_ONCE):
            assert await client.hget(requests[number][0], fields[number]) is not None

    started = time.perf_counter()
    await asyncio.gather(*[ask(number) for number in range(AT_ONCE)])
    seconds = time.perf_counter() - started
    await client.aclose()
    return len(identifiers) / seconds


@contextmanager
def _server() -> Iterator[tuple[str, str]]:
    """The machine's Redis where there is one."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder) / "redis") as url:
        if url is not None:
            yield "Redis (Debian)", url
            return
        with embedded_store(Path(folder) / "valkey") as embedded:
            yield "Valkey 9 (embedded)", embedded


def _percentiles(seconds: np.ndarray) -> tuple[str, ...]:
    return tuple(f"{np.percentile(seconds, p) * 1e6:,.0f}" for p in (50, 99, 99.9, 100))


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, float), sys.argv[1:], strict=False)))  # type: ignore[operator]
