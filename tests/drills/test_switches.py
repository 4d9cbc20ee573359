"""A thousand switches under 64 concurrent readers, rollbacks among them: no miss, no mixture, no torn batch."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookup import Answer, Status
from bnpl_features.store.switching import roll_back
from bnpl_features.store.versions import GRACE_SECONDS
from tests.bnpl_features.store.shop import SECRET, Shop, batches, new_shop

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
CUSTOMERS = 200
BATCH = 20
BUDGET_SECONDS = 2.0
"""64 readers, a publisher and a server share two cores here: what is proven is what they read, not how fast."""


@pytest.mark.parametrize(
    ("switches", "threads", "tasks"),
    [
        pytest.param(40, 8, 8, id="some"),
        pytest.param(1_000, 32, 32, id="a thousand", marks=pytest.mark.drill),
    ],
)
def test_switches_under_concurrent_readers_lose_and_mix_nothing(
    tmp_path: Path, switches: int, threads: int, tasks: int
) -> None:
    with embedded_store(tmp_path / "store") as url:
        shop = new_shop(url)
        publish(shop, 1)
        watch = Watch()
        readers = [threading.Thread(target=read_in_threads, args=(shop, watch, threads))]
        readers.append(threading.Thread(target=lambda: asyncio.run(read_in_tasks(shop, watch, tasks))))
        for reader in readers:
            reader.start()
        delays = switch_again_and_again(shop, watch, switches)
        watch.ended.set()
        for reader in readers:
            reader.join()

    print(
        f"\n{switches} switches, {threads} threads and {tasks} tasks: {watch.lookups:,} customers read in "
        f"{watch.batches:,} batches; {len(watch.faults)} faults; a switch reached a reader after "
        f"{np.median(delays) * 1e3:.1f} ms (p50), {max(delays) * 1e3:.0f} ms (longest)"
    )
    assert watch.faults == []
    assert watch.batches > 20 * switches
    assert max(delays) < GRACE_SECONDS / 4


class Watch:
    """What the readers saw."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.faults: list[str] = []
        self.batches = 0
        self.lookups = 0

    def look(self, customers: list[int], answers: list[Answer]) -> None:
        self.batches += 1
        self.lookups += len(answers)
        versions = {answer.version for answer in answers}
        if len(versions) > 1:
            self.faults.append(f"a batch of versions {versions}")
        for number, answer in zip(customers, answers, strict=True):
            if answer.status is not Status.FRESH:
                self.faults.append(f"{answer.status} {answer.reason}")
            elif answer["txn_count_7d"] != mark_of(answer.version or 0) or answer["txn_count_30d"] != number:
                self.faults.append(f"version {answer.version} served {answer['txn_count_7d']}")


def mark_of(version: int) -> int:
    """What a version's customers carry, so that a reader can tell it from others'."""
    return version % 250


def publish(shop: Shop, version: int) -> None:
    shop.publish(customers=CUSTOMERS, batches=batches(CUSTOMERS, mark=mark_of(version)), day=YESTERDAY)


def switch_again_and_again(shop: Shop, watch: Watch, switches: int) -> list[float]:
    """Publishes, and every fifth time rolls back; seconds until a reader of its own has followed, by switch."""
    numbers = count(2)
    delays = []
    with shop.reader(budget_seconds=BUDGET_SECONDS) as reader:
        for number in range(switches):
            if watch.faults:
                break
            if number % 5 == 4:
                wanted, _ = roll_back(shop.client, shop.keyspace, actor="drill", reason="drill")
            else:
                wanted = next(numbers)
                publish(shop, wanted)
            switched = time.perf_counter()
            while reader.get("customer-1").version != wanted:
                time.sleep(0.0005)
            delays.append(time.perf_counter() - switched)
    return delays


def picks(seed: int) -> Iterator[list[int]]:
    dice = random.Random(seed)
    while True:
        yield dice.sample(range(CUSTOMERS), BATCH if dice.random() < 0.5 else 1)


def read_in_threads(shop: Shop, watch: Watch, threads: int) -> None:
    def read(reader: CustomerFeatureStore, seed: int) -> None:
        for customers in picks(seed):
            if watch.ended.is_set():
                return
            watch.look(customers, reader.get_many([f"customer-{number}" for number in customers]))
            time.sleep(0.002)

    with shop.reader(budget_seconds=BUDGET_SECONDS) as one, shop.reader(budget_seconds=BUDGET_SECONDS) as other:
        started = [threading.Thread(target=read, args=((one, other)[seed % 2], seed)) for seed in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()


async def read_in_tasks(shop: Shop, watch: Watch, tasks: int) -> None:
    options: dict[str, Any] = {"namespace": shop.namespace, "customer_key": SECRET, "budget_seconds": BUDGET_SECONDS}

    async def read(reader: AsyncCustomerFeatureStore, seed: int) -> None:
        for customers in picks(seed):
            if watch.ended.is_set():
                return
            watch.look(customers, await reader.get_many([f"customer-{number}" for number in customers]))
            await asyncio.sleep(0.002)

    async with await AsyncCustomerFeatureStore.open(shop.url, **options) as reader:
        await asyncio.gather(*[read(reader, 1_000 + seed) for seed in range(tasks)])
