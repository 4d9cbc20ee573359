"""A worker on real servers: nothing is lost or counted twice, whatever is killed; poison, back-pressure, erasure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from bnpl_features.errors import StreamFull
from bnpl_features.features.velocity import VELOCITY
from bnpl_features.store.connection import connect
from bnpl_features.store.erasure import erase, readmit
from bnpl_features.store.keyspace import CustomerKey, field_of
from bnpl_features.store.velocity import letters
from bnpl_features.store.velocity.state import parsed, values_at
from bnpl_features.streaming.event import encode
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource
from bnpl_features.streaming.source import Lag, Message
from bnpl_features.streaming.worker import MOST_DELIVERIES, Worker
from tests.bnpl_features.store.shop import SECRET, Shop, new_shop, wait_until

CLAIM_SECONDS = 0.3


def event(number: int = 0, **changes: Any) -> bytes:
    """A purchase of now, a millisecond after the one before."""
    given = {
        "transaction_id": f"txn-{number}",
        "customer_id": f"customer-{number % 10}",
        "transaction_timestamp": datetime.now(UTC) - timedelta(seconds=60) + timedelta(milliseconds=number),
        "amount": 10.0,
        "status": "completed",
        "device_id": "phone",
        "product_category": "home",
        "a_field_that_nobody_knows": [1, 2],
    }
    return encode(given | changes)


def producer(shop: Shop, most_waiting: int = 100_000) -> RedisProducer:
    return RedisProducer(shop.client, shop.keyspace.purchases, "velocity", most_waiting)


def source(shop: Shop) -> RedisSource:
    return RedisSource(connect(shop.url), shop.keyspace.purchases, "velocity", CLAIM_SECONDS)


def worker(shop: Shop, **options: Any) -> Worker:
    return Worker(source(shop), shop.target, **options)


def emptied(one: Worker) -> Worker:
    while one.turn():
        pass
    return one


def counts(shop: Shop, name: str = "txn_count_1h", customers: int = 10) -> list[Any]:
    now_ms = int(time.time() * 1000)
    found = []
    for number in range(customers):
        digest = CustomerKey(SECRET).digest(f"customer-{number}")
        state = parsed(shop.client.hget(shop.keyspace.velocity(digest), field_of(digest)))
        found.append(dict(zip(VELOCITY.names, values_at(state, now_ms), strict=True))[name])
    return found


def test_events_become_velocity_and_are_counted_by_outcome(any_shop: Shop) -> None:
    payloads = [event(number) for number in range(100)]
    payloads += [payloads[0], event(100, status="pending"), event(101, customer_id="customer-1", status="declined")]
    producer(any_shop).append(payloads)

    done = emptied(worker(any_shop))

    assert counts(any_shop) == [10] * 10
    assert counts(any_shop, "failed_count_1h", 2) == [0, 1]
    assert done.measures.events == {"applied": 101, "duplicate": 1, "ignored": 1}
    assert done.measures.lag == Lag(0, 0.0)


POISON = {
    b"no json": "malformed",
    encode({"transaction_id": "t"}): "missing required field",
    event(1, amount=-1.0): "\\$.amount",
    event(2, transaction_timestamp=datetime.now(UTC) + timedelta(days=1)): "ahead of this clock",
    event(3, transaction_timestamp="2024-03-01T12:00:00"): "timezone",
    event(4, customer_id=None): "\\$.customer_id",
    event(5, amount=1e12): "\\$.amount",
    b"": "truncated",
}


def test_a_poison_event_goes_to_the_dead_letters_with_its_reason_and_holds_nothing_up(any_shop: Shop) -> None:
    producer(any_shop).append([*POISON, event(6)])

    done = emptied(worker(any_shop))

    found = {letter.payload: letter.reason for letter in letters.newest(any_shop.client, any_shop.keyspace)}
    assert set(found) == set(POISON)
    for payload, reason in POISON.items():
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(found[payload])
    assert done.measures.events == {"applied": 1, "poison": len(POISON)}
    assert done.measures.lag.waiting == 0


def test_a_message_that_ended_its_workers_time_and_again_is_a_dead_letter(shop: Shop) -> None:
    one = worker(shop)
    one._take([Message("1-0", event(1), deliveries=MOST_DELIVERIES + 1)])

    assert "without being acknowledged" in letters.newest(shop.client, shop.keyspace)[0].reason


def test_deliveries_are_counted_over_workers(shop: Shop) -> None:
    producer(shop).append([event(1)])
    assert [message.deliveries for message in source(shop).poll(10, 0.1)] == [1]
    time.sleep(CLAIM_SECONDS + 0.05)

    assert [message.deliveries for message in source(shop).poll(10, 0.1)] == [2]


@contextmanager
def processes(shop: Shop, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers as they are run: `bnpl-features stream work`."""
    settings = {
        "REDIS_URL": shop.url,
        "BNPL_NAMESPACE": shop.namespace,
        "BNPL_CUSTOMER_KEY": SECRET.decode(),
        "BNPL_STREAMING_BATCH": "20",
        "BNPL_STREAMING_CLAIM_SECONDS": str(CLAIM_SECONDS),
    }
    words = [sys.executable, "-c", "from bnpl_features.cli import main; main()", "stream", "work"]
    running = [subprocess.Popen(words, env={**os.environ, **settings}, stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_workers_killed_in_the_middle_lose_and_double_count_nothing(server_of_its_own: Shop) -> None:
    shop = server_of_its_own
    sends = producer(shop)
    total = 6_000
    with processes(shop, 2) as running:
        wait_until(lambda: len(consumers(shop)) == 2, "both have begun", 30)
        for start in range(0, total, 100):
            sends.append([event(n, customer_id=f"customer-{n % 200}") for n in range(start, start + 100)])
            if start == 1_000:
                running[0].kill()
        wait_until(lambda: source(shop).lag().waiting == 0, "all is applied", 30)

    assert counts(shop, customers=200) == [total // 200] * 200


def consumers(shop: Shop) -> list[Any]:
    try:
        return list(shop.client.xinfo_consumers(shop.keyspace.purchases, "velocity"))
    except redis.ResponseError:
        return []


def test_a_worker_that_is_told_to_stop_leaves_nothing_unacknowledged(shop: Shop) -> None:
    with processes(shop, 1) as (process,):
        wait_until(lambda: bool(consumers(shop)), "it has begun", 30)
        producer(shop).append([event(number) for number in range(500)])
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    assert not consumers(shop)
    assert shop.client.xpending(shop.keyspace.purchases, "velocity")["pending"] == 0


def test_a_store_that_goes_away_is_waited_for_with_the_batch_at_hand(mortal: tuple[Shop, int, int], shop: Shop) -> None:
    """The broker is another server here; the store stops answering in the middle."""
    store, pid, _ = mortal
    events = RedisProducer(shop.client, shop.keyspace.purchases, "velocity")
    one = Worker(source(shop), store.target)
    events.append([event(1)])
    emptied(one)
    running = threading.Thread(target=one.run, args=(0.05,))

    os.kill(pid, signal.SIGSTOP)
    events.append([event(number) for number in range(2, 102)])
    running.start()
    time.sleep(0.2)
    waiting = source(shop).lag().waiting
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: one.measures.events["applied"] == 101, "it goes on", 40)
    one.stop()
    running.join()

    assert waiting == 100
    assert sum(counts(store)) == 101


def test_producers_are_refused_while_too_much_is_waiting(any_shop: Shop) -> None:
    """Back-pressure: workers take one batch at a time, the rest waits at the broker, whose room is bounded."""
    sends = producer(any_shop, most_waiting=100)
    for start in range(0, 100, 10):
        sends.append([event(number) for number in range(start, start + 10)])

    with pytest.raises(StreamFull, match="100 events are waiting"):
        sends.append([event(100)])
    one = worker(any_shop, batch=25)
    one.turn()
    waiting = source(any_shop).lag().waiting
    sends.append([event(100)])

    assert waiting == 75
    emptied(one)
    assert one.measures.events["applied"] == 101


def test_lag_is_the_age_of_the_oldest_event_not_applied(shop: Shop) -> None:
    producer(shop).append([event(1)])
    source(shop).poll(10, 0.1)  # taken by a worker that does not acknowledge
    time.sleep(0.2)
    producer(shop).append([event(2)])

    lag = source(shop).lag()

    assert lag.waiting == 2
    assert 0.2 <= lag.oldest_seconds < 5


def test_an_idle_worker_tells_readers_that_all_is_applied(shop: Shop) -> None:
    before = time.time()
    emptied(worker(shop))

    assert float(shop.client.get(shop.keyspace.caught_up) or 0) >= before - 1


def test_an_erased_customers_events_are_refused_and_leave_the_streams(shop: Shop) -> None:
    one = worker(shop)
    by = {"actor": "operator", "reason": "asked for"}
    producer(shop).append([event(0), event(1), event(0, amount=-1.0)])
    emptied(one)

    erase(shop.client, shop.keyspace, [CustomerKey(SECRET)], "customer-0", **by)
    producer(shop).append([event(10), event(11)])
    emptied(one)

    assert counts(shop, customers=2) == [0, 2]
    assert one.measures.events["erased"] == 1
    assert letters.newest(shop.client, shop.keyspace) == []
    logged = [payload for payload in source(shop).log(0) if b'"customer-0"' in payload]
    assert len(logged) == 1  # what came afterwards; it is forgotten with the log
    readmit(shop.client, shop.keyspace, [CustomerKey(SECRET)], "customer-0", **by)
    time.sleep(1.1)
    emptied(one)
    producer(shop).append([event(20)])
    emptied(one)
    assert counts(shop, customers=1) == [1]


def test_a_worker_refuses_the_erased_also_after_their_state_is_gone(shop: Shop) -> None:
    erase(shop.client, shop.keyspace, [CustomerKey(SECRET)], "customer-0", actor="operator", reason="asked for")
    shop.client.delete(shop.keyspace.velocity(CustomerKey(SECRET).digest("customer-0")))
    producer(shop).append([event(0)])

    assert emptied(worker(shop)).measures.events == {"erased": 1}


def test_a_stream_that_was_lost_begins_again(server_of_its_own: Shop) -> None:
    shop = new_shop(server_of_its_own.url)
    one = worker(shop)
    producer(shop).append([event(1)])
    emptied(one)
    shop.client.flushall()
    one.turn()
    producer(shop).append([event(2)])

    emptied(one)

    assert one.measures.events["applied"] == 2
