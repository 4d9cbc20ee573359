"""Velocity made again from warehouse and log, while workers and lookups go on; and compared with the warehouse."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bnpl_features.errors import InputError
from bnpl_features.store.connection import connect
from bnpl_features.store.erasure import erase
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.velocity.state import values_at
from bnpl_features.streaming.comparison import compare
from bnpl_features.streaming.event import encode
from bnpl_features.streaming.rebuild import rebuild
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource
from bnpl_features.streaming.worker import Worker
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.store.shop import SECRET, Shop
from tests.bnpl_features.streaming.day import DAY, arrow, day_of_events
from tests.bnpl_features.streaming.test_parity import send, states

DAYS = (DAY - timedelta(days=1), DAY)
MIDNIGHT = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
NOW = MIDNIGHT + timedelta(hours=20)
NOW_MS = int(NOW.timestamp()) * 1000


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    """Two days until NOW; of the second the warehouse has nothing yet."""
    return [event for event in day_of_events(40, seed=3, days=DAYS) if event["transaction_timestamp"] < NOW]


@pytest.fixture(scope="module")
def yesterdays(events: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    warehouse = DuckDBWarehouse(tmp_path_factory.mktemp("yesterday"))
    loaded = [event for event in events if event["transaction_timestamp"] < MIDNIGHT]
    warehouse.upsert_transactions(iter([arrow(loaded)]), {})
    return warehouse


def todays_log(events: list[dict[str, Any]]) -> Iterator[bytes]:
    return (encode(event) for event in events if event["transaction_timestamp"] >= MIDNIGHT)


def seen(shop: Shop) -> dict[bytes, Any]:
    """What readers see now of each customer who bought within 24 hours."""
    return {place: values_at(state, NOW_MS) for place, state in states(shop).items() if values_at(state, NOW_MS)[2]}


def test_after_a_loss_velocity_is_what_it_was(
    any_shop: Shop, events: list[dict[str, Any]], yesterdays: DuckDBWarehouse
) -> None:
    send(any_shop, events)
    before = seen(any_shop)
    lose(any_shop)

    rebuilt = rebuild(any_shop.target, yesterdays, "transactions", todays_log(events), NOW_MS)

    assert seen(any_shop) == before
    assert rebuilt.from_warehouse > 100
    assert rebuilt.from_log > 100


def test_a_worker_that_went_on_after_the_loss_is_completed(
    shop: Shop, events: list[dict[str, Any]], yesterdays: DuckDBWarehouse
) -> None:
    send(shop, events)
    before = seen(shop)
    lose(shop)
    send(shop, [event for event in events if event["transaction_timestamp"] >= NOW - timedelta(hours=3)])

    for _ in range(2):
        rebuild(shop.target, yesterdays, "transactions", todays_log(events), NOW_MS)

    assert seen(shop) == before


def test_without_a_log_the_warehouses_part_comes_back(
    shop: Shop, events: list[dict[str, Any]], yesterdays: DuckDBWarehouse
) -> None:
    today = [event for event in events if event["transaction_timestamp"] >= MIDNIGHT]
    send(shop, events)
    before = seen(shop)
    lose(shop)
    send(shop, today)

    rebuild(shop.target, yesterdays, "transactions", (), NOW_MS)

    assert seen(shop) == before


def test_an_erased_customer_is_not_brought_back(
    shop: Shop, events: list[dict[str, Any]], yesterdays: DuckDBWarehouse
) -> None:
    erase(shop.client, shop.keyspace, [CustomerKey(SECRET)], "customer-0", actor="operator", reason="asked for")
    lose(shop)

    rebuild(shop.target, yesterdays, "transactions", todays_log(events), NOW_MS)

    digest = CustomerKey(SECRET).digest("customer-0")
    assert shop.client.hget(shop.keyspace.velocity(digest), digest[2:]) is None


def test_lookups_and_workers_go_on_during_a_rebuild(
    shop: Shop, events: list[dict[str, Any]], yesterdays: DuckDBWarehouse
) -> None:
    """Live events of now arrive while old ones are filled in; each is counted once."""
    now = datetime.now(UTC)
    live = [event | {"transaction_timestamp": now - timedelta(milliseconds=n)} for n, event in enumerate(events[-200:])]
    live = [event | {"transaction_id": f"live-{n}", "status": "completed"} for n, event in enumerate(live)]
    shop.publish(day=now.date() - timedelta(days=1))
    worker = Worker(RedisSource(connect(shop.url), shop.keyspace.purchases, "velocity"), shop.target, batch=5)
    running = threading.Thread(target=worker.run, args=(0.05,))
    running.start()
    with shop.reader(velocity=True) as reader:
        RedisProducer(shop.client, shop.keyspace.purchases, "velocity").append([encode(event) for event in live])
        rebuild(shop.target, yesterdays, "transactions", (encode(event) for event in live))
        statuses = {reader.get("customer-1").status for _ in range(50)}
        while worker.measures.events.total() < len(live):
            reader.get("customer-1")
        counted = sum(
            answer.velocity.as_dict()["txn_count_24h"]
            for answer in reader.get_many([f"customer-{number}" for number in range(40)])
            if answer.velocity
        )
    worker.stop()
    running.join()

    assert {status.value for status in statuses} == {"fresh"}
    assert counted == len(live)


def test_streamed_state_is_compared_with_the_warehouse_customer_by_customer(
    any_shop: Shop, events: list[dict[str, Any]], yesterdays: DuckDBWarehouse
) -> None:
    early = MIDNIGHT + timedelta(hours=3)
    until_early = [event for event in events if event["transaction_timestamp"] < early]
    send(any_shop, until_early)

    equal = compare(any_shop.target, yesterdays, "transactions", DAYS[0], early)
    lost = "customer-1"
    digest = CustomerKey(SECRET).digest(lost)
    any_shop.client.hdel(any_shop.keyspace.velocity(digest), digest[2:])
    send(
        any_shop,
        [
            until_early[-1]
            | {"transaction_id": "surplus", "customer_id": "stranger", "status": "completed"}
            | {"transaction_timestamp": MIDNIGHT - timedelta(hours=1)}
        ],
    )
    unequal = compare(any_shop.target, yesterdays, "transactions", DAYS[0], early)

    assert (equal.mismatched, equal.purchases) == (0, equal.purchases_streamed)
    assert equal.purchases > 50
    assert (unequal.mismatched, unequal.missing, unequal.surplus) == (2, 1, 1)


def test_only_the_hours_that_are_remembered_are_compared(
    shop: Shop, events: list[dict[str, Any]], yesterdays: DuckDBWarehouse
) -> None:
    send(shop, [event for event in events if event["transaction_timestamp"] < MIDNIGHT])

    late = compare(shop.target, yesterdays, "transactions", DAYS[0], MIDNIGHT + timedelta(hours=12))

    assert late.from_hour == 7
    assert late.mismatched == 0
    with pytest.raises(InputError, match="not remembered any more"):
        compare(shop.target, yesterdays, "transactions", DAYS[0], MIDNIGHT + timedelta(hours=30))


def lose(shop: Shop) -> None:
    keys = shop.client.keys(f"{shop.namespace}:w:*")
    if keys:
        shop.client.delete(*keys)
