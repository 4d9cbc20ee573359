"""A lookup brings the daily record and velocity in one round trip; versions switch beneath."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.reading.asking import Replicas
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.velocity.answer import VelocityAnswer, VelocityStatus
from bnpl_features.store.velocity.applying import Packer, apply
from tests.bnpl_features.store.shop import PATIENT_SECONDS, SECRET, Shop, new_shop, wait_until
from tests.fleet import cluster

PACKER = Packer(CustomerKey(SECRET))
HOUR_MS = 3_600_000
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def buy(shop: Shop, customer: str, at_ms: int, cents: int = 2_500) -> None:
    event = PACKER.packed(customer, f"txn-{at_ms}", at_ms, cents, "phone", "home")
    apply(shop.client, shop.keyspace, [event], at_ms)


def caught_up(shop: Shop) -> None:
    shop.client.set(shop.keyspace.caught_up, f"{time.time():.3f}")


def now_ms() -> int:
    return int(time.time() * 1000)


def test_a_lookup_brings_the_daily_record_and_velocity(any_shop: Shop) -> None:
    any_shop.publish(day=YESTERDAY)
    caught_up(any_shop)
    buy(any_shop, "customer-1", now_ms() - 1_000)
    with any_shop.reader(velocity=True) as reader:
        bought, idle, unknown = reader.get_many(["customer-1", "customer-2", "nobody"])

    assert [answer.status for answer in (bought, idle, unknown)] == [
        Status.FRESH,
        Status.FRESH,
        Status.UNKNOWN_CUSTOMER,
    ]
    assert all(answer.velocity and answer.velocity.status is VelocityStatus.FRESH for answer in (bought, idle, unknown))
    assert bought.velocity
    assert bought.velocity.as_dict(amount_usd=50.0, mean_usd=20.0) | {"seconds_since_last_txn": 0} == {
        "txn_count_10m": 1,
        "txn_count_1h": 1,
        "txn_count_24h": 1,
        "amount_sum_1h": 25.0,
        "amount_sum_24h": 25.0,
        "device_count_24h": 1,
        "category_count_24h": 1,
        "seconds_since_last_txn": 0,
        "failed_count_1h": 0,
        "amount_to_mean_30d": 2.5,
    }
    assert idle.velocity
    assert idle.velocity.as_dict()["txn_count_24h"] == 0


def test_both_take_one_round_trip(server_of_its_own: Shop) -> None:
    shop = server_of_its_own
    shop.publish(day=YESTERDAY)
    with shop.reader(velocity=True) as reader:
        reader.get("customer-1")
        before = shop.client.info("stats")["total_reads_processed"]
        for _ in range(50):
            reader.get("customer-1")
        reads = shop.client.info("stats")["total_reads_processed"] - before

    assert reads < 50 + 20  # the follower's polls, and this test's own questions


def test_the_async_reader_brings_both(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    caught_up(shop)
    buy(shop, "customer-1", now_ms() - 1_000)

    async def read() -> object:
        options = {"namespace": shop.namespace, "customer_key": SECRET, "budget_seconds": PATIENT_SECONDS}
        async with await AsyncCustomerFeatureStore.open(shop.url, velocity=True, **options) as store:
            answer = await store.get("customer-1")
            return answer.status, answer.velocity and answer.velocity.as_dict()["txn_count_1h"]

    assert asyncio.run(read()) == (Status.FRESH, 1)


def test_versions_switch_underneath_without_touching_velocity(shop: Shop) -> None:
    shop.publish(day=YESTERDAY, mark=1)
    buy(shop, "customer-1", now_ms() - 1_000)
    with shop.reader(velocity=True) as reader:
        shop.publish(day=YESTERDAY, mark=2)
        wait_until(lambda: reader.get("customer-1")["txn_count_7d"] == 2, "the switch arrives")
        answer = reader.get("customer-1")

    assert answer.velocity
    assert answer.velocity.as_dict()["txn_count_1h"] == 1


def test_velocity_is_stale_while_no_worker_has_caught_up(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    with shop.reader(velocity=True) as reader:
        before = reader.get("customer-1").velocity
        caught_up(shop)
        wait_until(lambda: status(reader.get("customer-1").velocity) is VelocityStatus.FRESH, "the poll sees it")

    assert status(before) is VelocityStatus.STALE


def status(velocity: VelocityAnswer | None) -> VelocityStatus | None:
    return velocity.status if velocity else None


def test_without_a_server_velocity_is_unavailable(mortal: tuple[Shop, int, int]) -> None:
    shop, pid, _ = mortal
    with shop.reader(velocity=True, budget_seconds=0.05) as reader:
        reader.get("customer-1")
        os.kill(pid, signal.SIGKILL)
        answer = reader.get("customer-1")

    assert answer.status is Status.UNAVAILABLE
    assert status(answer.velocity) is VelocityStatus.UNAVAILABLE


def test_a_cluster_answers_both_from_the_servers_that_hold_them(tmp_path: Path) -> None:
    with cluster(tmp_path, replicas=0) as fleet:
        shop = new_shop(fleet.url)
        shop.publish(day=YESTERDAY)
        caught_up(shop)
        for number in range(50):
            buy(shop, f"customer-{number}", now_ms() - 1_000)
        with shop.reader(velocity=True, replicas=Replicas.NEVER) as reader:
            names = [f"customer-{number}" for number in range(50)]
            wait_until(lambda: all(one.status is Status.FRESH for one in reader.get_many(names)), "all have answered")
            answers = reader.get_many(names)

    assert {answer.status for answer in answers} == {Status.FRESH}
    assert [answer.velocity.as_dict()["txn_count_1h"] for answer in answers if answer.velocity] == [1] * 50


def test_today_brings_counts_sums_and_recency_up_to_date() -> None:
    midnight = datetime.combine(YESTERDAY, datetime.min.time(), UTC) + timedelta(days=1)
    at_ms = int(midnight.timestamp()) * 1000 + 5 * HOUR_MS
    daily = {"txn_count_30d": 4, "amount_sum_30d": 100.0, "days_since_last_txn": 3, "amount_mean_30d": 25.0}

    idle = VelocityAnswer(VelocityStatus.FRESH, at_ms).refreshed(daily, YESTERDAY)
    stale = VelocityAnswer(VelocityStatus.STALE, at_ms).refreshed(daily, YESTERDAY)

    assert idle == {"txn_count_30d": 4, "amount_sum_30d": 100.0, "days_since_last_txn": 4}
    assert stale == {}


def test_purchases_since_the_partitions_end_are_added(shop: Shop) -> None:
    partition = YESTERDAY - timedelta(days=1)
    midnight = int((datetime.combine(YESTERDAY, datetime.min.time(), UTC)).timestamp()) * 1000
    for at_ms in (midnight - HOUR_MS, midnight + HOUR_MS, midnight + 3 * HOUR_MS):
        buy(shop, "customer-1", at_ms)
    digest = PACKER.key.digest("customer-1")
    state = shop.client.hget(shop.keyspace.velocity(digest), digest[2:])
    answer = VelocityAnswer(VelocityStatus.FRESH, midnight + 4 * HOUR_MS, state)

    daily = {"txn_count_7d": 1, "amount_sum_30d": 10.0, "days_since_last_txn": 2}

    assert answer.refreshed(daily, partition) == {"txn_count_7d": 3, "amount_sum_30d": 60.0, "days_since_last_txn": 0}
