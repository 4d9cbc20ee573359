"""A day replayed through the stream gives the numbers that the warehouse's SQL gives, at every purchase."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import cache
from itertools import accumulate
from typing import Any
from uuid import uuid4

import pytest

from bnpl_features.derive.velocity_query import velocity_query, windowed_features
from bnpl_features.features.velocity import VELOCITY
from bnpl_features.store.connection import StoreClient, connect
from bnpl_features.store.keyspace import CustomerKey, field_of
from bnpl_features.store.velocity.applying import Outcome, Packer, apply
from bnpl_features.store.velocity.state import State, parsed, values_at
from bnpl_features.streaming.event import encode, milliseconds, packed
from bnpl_features.streaming.event import parsed as parsed_event
from bnpl_features.warehouse import bigquery
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.warehouse import Warehouse
from tests.bnpl_features.store.shop import SECRET, Shop, new_shop
from tests.bnpl_features.streaming.day import DAY, arrow, day_of_events, disordered
from tests.emulator import Emulator

Numbers = dict[tuple[str, str, int], tuple[Any, ...]]
NAMES = [feature.name for feature in windowed_features()]
DAYS = (DAY - timedelta(days=1), DAY)


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return day_of_events(60, seed=5, days=DAYS)


@pytest.fixture(scope="module")
def expected(events: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Numbers:
    warehouse = DuckDBWarehouse(tmp_path_factory.mktemp("parity"))
    warehouse.upsert_transactions(iter([arrow(events)]), {})
    return in_the_warehouse(warehouse)


def test_replayed_in_order_the_stream_agrees_at_every_purchase(
    shop: Shop, events: list[dict[str, Any]], expected: Numbers
) -> None:
    found: Numbers = {}
    for event in events:
        found |= numbers_at(shop, [event])
        send(shop, [event])

    assert found == expected


def test_with_disorder_and_duplicates_the_stream_agrees_at_every_purchase(
    any_shop: Shop, events: list[dict[str, Any]], expected: Numbers
) -> None:
    arrivals = disordered(events, seed=11)
    first_arrival = {event["transaction_id"]: number for number, event in reversed(list(enumerate(arrivals)))}
    whole_at = list(accumulate((first_arrival[event["transaction_id"]] for event in events), max))
    found: Numbers = {}
    outcomes: Counter[Outcome] = Counter()
    purchase = 0
    for number, arrival in enumerate(arrivals):
        outcomes.update(send(any_shop, [arrival]))
        while purchase < len(events) and whole_at[purchase] <= number:
            found |= numbers_at(any_shop, [events[purchase]])
            purchase += 1

    assert found == expected
    assert outcomes[Outcome.DUPLICATE] > 50
    assert outcomes[Outcome.LATE] == 0


def test_the_order_of_arrival_leaves_no_trace(shop: Shop, events: list[dict[str, Any]]) -> None:
    one, other = new_shop(shop.url), new_shop(shop.url)
    for event in disordered(events, seed=1):
        send(one, [event])
    for start in range(0, len(events), 100):
        send(other, events[start : start + 100])

    assert states(one) == states(other)


def test_bigquery_gives_the_same_numbers(
    running_emulator: Emulator, events: list[dict[str, Any]], expected: Numbers
) -> None:
    warehouse = bigquery.connect(
        f"velocity_{uuid4().hex[:8]}",
        project="lender",
        api_endpoint=running_emulator.api_endpoint,
        storage_endpoint=running_emulator.storage_endpoint,
    )
    warehouse.client.create_dataset(warehouse.dataset)
    warehouse.upsert_transactions(iter([arrow(events)]), {})

    assert in_the_warehouse(warehouse) == expected


def in_the_warehouse(warehouse: Warehouse) -> Numbers:
    found: Numbers = {}
    for batch in warehouse.read(velocity_query(*DAYS), {}):
        for row in batch.to_pylist():
            key = row["transaction_id"], row["customer_id"], row["at_ms"]
            found[key] = tuple(row[name] for name in NAMES)
    return found


@cache
def client_of(url: str) -> StoreClient:
    return connect(url)


def send(shop: Shop, events: list[dict[str, Any]]) -> list[Outcome]:
    packer = Packer(CustomerKey(SECRET))
    now_ms = milliseconds(events[-1]["transaction_timestamp"])
    taken = [packed(parsed_event(encode(event), now_ms + 10**9), packer) for event in events]
    return apply(client_of(shop.url), shop.keyspace, [one for one in taken if one], now_ms, looked_at=0)


def numbers_at(shop: Shop, purchases: list[dict[str, Any]]) -> Numbers:
    """What a reader would see at each completed purchase, just before it."""
    found = {}
    for purchase in purchases:
        if purchase["status"] == "completed":
            at_ms = milliseconds(purchase["transaction_timestamp"])
            digest = CustomerKey(SECRET).digest(purchase["customer_id"])
            state = parsed(client_of(shop.url).hget(shop.keyspace.velocity(digest), field_of(digest)))
            values = dict(zip(VELOCITY.names, values_at(state, at_ms), strict=True))
            found[purchase["transaction_id"], purchase["customer_id"], at_ms] = tuple(values[name] for name in NAMES)
    return found


def states(shop: Shop) -> dict[bytes, State | None]:
    """By customer; when a state was begun is no part of it."""
    found: dict[bytes, State | None] = {}
    for key in shop.client.keys(f"{shop.namespace}:w:*"):
        found |= {key.split(b":")[-1] + field: parsed(value) for field, value in shop.client.hgetall(key).items()}
    return found
