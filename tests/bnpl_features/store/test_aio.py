"""The asyncio reader answers as the other does; lookups made at the same time share round trips."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bnpl_features.errors import LayoutMismatch, StoreUnavailable
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.reading.lookups import BUDGET_SECONDS
from tests.bnpl_features.store.shop import (
    PATIENT_SECONDS,
    SECRET,
    Shop,
    free_port,
    mortal_server,
    new_shop,
)

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
SLACK_SECONDS = 0.05
"""What a busy machine may add to a time limit before a test calls it broken."""

Reading = Callable[[AsyncCustomerFeatureStore], Awaitable[Any]]


def reading(shop: Shop, use: Reading, **options: Any) -> Any:
    """What `use` makes of a reader of the shop."""
    given = {"namespace": shop.namespace, "customer_key": SECRET, "budget_seconds": PATIENT_SECONDS} | options

    async def run() -> Any:
        async with await AsyncCustomerFeatureStore.open(shop.url, **given) as reader:
            return await use(reader)

    return asyncio.run(run())


def test_it_answers_as_the_reader_for_threads_does(any_shop: Shop) -> None:
    any_shop.publish(day=YESTERDAY)
    customers = ["customer-1", "nobody", "customer-7"]

    answers = reading(any_shop, lambda reader: reader.get_many(customers))

    with any_shop.reader() as other:
        for answer, expected in zip(answers, other.get_many(customers), strict=True):
            assert answer.status is expected.status
            assert answer.as_dict() == expected.as_dict()
            assert (answer.version, answer.partition_date) == (expected.version, expected.partition_date)


def test_some_features_are_answered_in_the_order_asked_for(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    features = ("txn_count_30d", "lifecycle_stage", "txn_count_7d")

    answer = reading(shop, lambda reader: reader.get("customer-7", features))

    assert answer.names == features
    assert (answer.values[0], answer.values[2]) == (7, 1)
    assert answer.vector[[0, 2]].tolist() == [7.0, 1.0]


def test_lookups_of_one_moment_travel_together(server_of_its_own: Shop) -> None:
    shop = server_of_its_own
    shop.publish(day=YESTERDAY)

    async def use(reader: AsyncCustomerFeatureStore) -> tuple[int, int]:
        await reader.get("customer-0")
        before = shop.client.info("stats")
        await asyncio.gather(*[reader.get(f"customer-{number}") for number in range(200)])
        after = shop.client.info("stats")
        commands = after["total_commands_processed"] - before["total_commands_processed"]
        return commands, after["total_reads_processed"] - before["total_reads_processed"]

    commands, reads = reading(shop, use)

    assert commands >= 200
    assert reads < 20, "each of the server's reads took many commands"


def test_thousands_at_once_are_all_answered(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)

    async def use(reader: AsyncCustomerFeatureStore) -> list[tuple[Status, object]]:
        answers = await asyncio.gather(*[reader.get(f"customer-{number % 300}") for number in range(5_000)])
        return [(answer.status, answer["txn_count_30d"]) for answer in answers]

    found = reading(shop, use, budget_seconds=5.0)

    assert found == [(Status.FRESH, number % 300 % 200) for number in range(5_000)]


def test_a_lookup_that_is_cancelled_leaves_the_others_their_answers(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)

    async def use(reader: AsyncCustomerFeatureStore) -> list[object]:
        tasks = [asyncio.create_task(reader.get(f"customer-{number}")) for number in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [task.result()["txn_count_30d"] for task in tasks[1::2]]

    assert reading(shop, use) == list(range(1, 100, 2))


def test_a_batch_is_read_from_one_version_while_versions_switch(shop: Shop) -> None:
    shop.publish(mark=1)

    async def use(reader: AsyncCustomerFeatureStore) -> list[set[tuple[object, object]]]:
        publishing = asyncio.create_task(asyncio.to_thread(lambda: [shop.publish(mark=mark) for mark in (2, 3, 4)]))
        seen = []
        while not publishing.done():
            answers = await reader.get_many([f"customer-{number}" for number in range(300)])
            seen.append({(answer.version, answer["txn_count_7d"]) for answer in answers})
        return seen

    seen = reading(shop, use)

    assert len(seen) > 10
    assert all(len(batch) == 1 for batch in seen)


def test_a_hung_server_is_unavailable_within_the_budget_and_the_circuit_opens(mortal: tuple[Shop, int, int]) -> None:
    shop, pid, _ = mortal

    async def use(reader: AsyncCustomerFeatureStore) -> tuple[list[tuple[Any, float]], Any]:
        await reader.get("customer-1")
        os.kill(pid, signal.SIGSTOP)
        hung = [await timed(reader) for _ in range(20)]
        os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while (answer := await reader.get("customer-1")).status is not Status.FRESH and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return hung, answer

    hung, recovered = reading(shop, use, budget_seconds=BUDGET_SECONDS)

    assert {answer.status for answer, _ in hung} == {Status.UNAVAILABLE}
    assert max(seconds for _, seconds in hung) < BUDGET_SECONDS + SLACK_SECONDS
    assert "circuit is open" in hung[-1][0].reason
    assert recovered.status is Status.FRESH


def test_a_killed_server_is_unavailable_and_served_again_once_it_is_back(
    mortal: tuple[Shop, int, int], tmp_path: Path
) -> None:
    shop, pid, port = mortal

    async def until(reader: AsyncCustomerFeatureStore, status: Status) -> Status:
        deadline = time.monotonic() + 10
        while (answer := await reader.get("customer-1")).status is not status and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return answer.status

    async def use(reader: AsyncCustomerFeatureStore) -> list[Status]:
        first = (await reader.get("customer-1")).status
        os.kill(pid, signal.SIGKILL)
        gone = await until(reader, Status.UNAVAILABLE)
        with mortal_server(tmp_path / "mortal", port):
            return [first, gone, await until(reader, Status.FRESH)]

    assert reading(shop, use) == [Status.FRESH, Status.UNAVAILABLE, Status.FRESH]


def test_a_connection_that_the_server_closed_costs_no_answer(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)

    async def use(reader: AsyncCustomerFeatureStore) -> list[Status]:
        await reader.get("customer-1")
        shop.client.client_kill_filter(_type="normal", skipme=True)
        return [(await reader.get("customer-1")).status for _ in range(10)]

    assert reading(shop, use) == [Status.FRESH] * 10


def test_a_port_that_is_closed_is_refused_unless_it_may_be_down() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    shop = Shop(url, "nowhere")

    with pytest.raises(StoreUnavailable, match=f"cannot reach the store at {url}"):
        reading(shop, lambda reader: reader.get("customer-1"))
    answer = reading(shop, lambda reader: reader.get("customer-1"), must_answer=False)

    assert answer.status is Status.UNAVAILABLE
    assert "cannot reach the store" in answer.reason


def test_a_store_that_comes_up_later_is_served_then(tmp_path: Path) -> None:
    port = free_port()
    shop = new_shop(f"redis://127.0.0.1:{port}/0")

    async def use(reader: AsyncCustomerFeatureStore) -> list[Status]:
        before = (await reader.get("customer-1")).status
        with mortal_server(tmp_path / "late", port):
            await asyncio.to_thread(shop.publish, day=YESTERDAY)
            deadline = time.monotonic() + 10
            while (answer := await reader.get("customer-1")).status is not Status.FRESH:
                assert time.monotonic() < deadline, answer
                await asyncio.sleep(0.01)
        return [before, answer.status]

    assert reading(shop, use, must_answer=False) == [Status.UNAVAILABLE, Status.FRESH]


def test_another_customer_key_is_refused(shop: Shop) -> None:
    shop.publish()

    with pytest.raises(LayoutMismatch, match="another customer key"):
        reading(shop, lambda reader: reader.get("customer-1"), customer_key=b"wrong")


async def timed(reader: AsyncCustomerFeatureStore) -> tuple[Any, float]:
    started = time.perf_counter()
    answer = await reader.get("customer-1")
    return answer, time.perf_counter() - started


def test_the_budget_holds_right_after_a_login(mortal: tuple[Shop, int, int]) -> None:
    """A login may take a second; a lookup over the same connection may not."""
    shop, pid, port = mortal
    shop.client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@all")
    with_login = Shop(f"redis://reader:secret@127.0.0.1:{port}/0", shop.namespace)

    async def use(reader: AsyncCustomerFeatureStore) -> tuple[Any, float]:
        deadline = time.monotonic() + 10
        while (await reader.get("customer-1")).status is not Status.FRESH:
            assert time.monotonic() < deadline
        os.kill(pid, signal.SIGSTOP)
        try:
            return await timed(reader)
        finally:
            os.kill(pid, signal.SIGCONT)

    answer, seconds = reading(with_login, use, budget_seconds=BUDGET_SECONDS)

    assert answer.status is Status.UNAVAILABLE
    assert seconds < BUDGET_SECONDS + SLACK_SECONDS
