"""The same store on a cluster and behind Sentinel: published to, read from, and losing a primary meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnpl_features.errors import BnplFeaturesError
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.buckets import by_server
from bnpl_features.store.erasure import erase
from bnpl_features.store.publishing.progress import Progress
from bnpl_features.store.reading.asking import Replicas
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.reading.routes import Routes
from tests.bnpl_features.store.shop import SECRET, Shop, batches, new_shop, wait_until
from tests.fleet import Fleet, Unavailability, cluster, sentinel

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
CUSTOMERS = 2_000
STARTERS = {"cluster": cluster, "sentinel": sentinel}
LONGEST_UNAVAILABLE_SECONDS = 0.5


@pytest.fixture(scope="module", params=sorted(STARTERS))
def shared_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One of each kind, for tests that break nothing."""
    with STARTERS[request.param](tmp_path_factory.mktemp(request.param)) as fleet:
        yield fleet


@pytest.fixture(params=sorted(STARTERS))
def mortal_fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet of the test's own, to be killed."""
    with STARTERS[request.param](tmp_path) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with cluster(tmp_path_factory.mktemp("cluster")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def shared_sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with sentinel(tmp_path_factory.mktemp("sentinel")) as fleet:
        yield fleet


def stocked(fleet: Fleet, **changes: object) -> Shop:
    shop = new_shop(fleet.url)
    shop.publish(customers=CUSTOMERS, batches=batches(CUSTOMERS), day=YESTERDAY, **changes)
    return shop


def test_every_published_customer_is_served(shared_fleet: Fleet) -> None:
    shop = stocked(shared_fleet)

    assert shop.reads(CUSTOMERS) == {"fresh": CUSTOMERS}
    assert shop.reads(CUSTOMERS, replicas=Replicas.FIRST) == {"fresh": CUSTOMERS}
    assert shop.reads(CUSTOMERS, replicas=Replicas.NEVER) == {"fresh": CUSTOMERS}


def test_every_published_customer_is_served_to_asyncio(shared_fleet: Fleet) -> None:
    shop = stocked(shared_fleet)

    async def read() -> AsyncCustomerFeatureStore:
        options = {"namespace": shop.namespace, "customer_key": SECRET, "budget_seconds": 5.0}
        async with await AsyncCustomerFeatureStore.open(shop.url, **options) as reader:
            await reader.get_many([f"customer-{number}" for number in range(CUSTOMERS)])
            await asyncio.gather(*[reader.get(f"customer-{number}") for number in range(CUSTOMERS)])
            return reader

    assert asyncio.run(read()).counts == {"fresh": 2 * CUSTOMERS}


def test_buckets_are_spread_over_the_primaries_of_a_cluster(shared_cluster: Fleet) -> None:
    shop = stocked(shared_cluster)

    keys = [shop.keyspace.bucket(1, number) for number in range(32)]

    assert len(list(by_server(shop.client, keys))) == 3
    assert sum(member.client.dbsize() > 0 for member in shared_cluster.members) >= 3


def test_a_switch_is_noticed_and_a_batch_is_of_one_version(shared_fleet: Fleet) -> None:
    shop = stocked(shared_fleet, mark=1)
    customers = [f"customer-{number}" for number in range(300)]
    with shop.reader() as reader:
        thread = threading.Thread(target=lambda: [shop.publish(mark=mark, day=YESTERDAY) for mark in (2, 3)])
        thread.start()
        marks = []
        while thread.is_alive():
            marks.append({answer["txn_count_7d"] for answer in reader.get_many(customers)})
        thread.join()

        wait_until(lambda: reader.get("customer-1")["txn_count_7d"] == 3, "the last version is served")

    assert all(len(seen) == 1 for seen in marks)


def test_a_reader_with_old_routes_is_redirected_and_learns_the_new_ones(shared_cluster: Fleet) -> None:
    shop = stocked(shared_cluster)
    with shop.reader() as reader:
        follower = reader.lookups.follower
        shards = follower.routes.shards
        wrong = Routes((*shards[1:], shards[0]), follower.routes.by_slot)
        follower.routes = wrong

        answers = reader.get_many([f"customer-{number}" for number in range(CUSTOMERS)])
        wait_until(lambda: follower.routes.shards != wrong.shards, "the routes are looked up again")

    assert {answer.status for answer in answers} == {Status.FRESH}


def test_what_a_replica_lacks_is_asked_of_the_primary(shared_sentinel: Fleet) -> None:
    shop = stocked(shared_sentinel)
    with shop.reader(replicas=Replicas.FIRST) as reader:
        assert reader.served is not None
        bucket_key, _ = reader.served.request("customer-5")
        for member in shared_sentinel.members[1:3]:
            member.client.config_set("replica-read-only", "no")
            assert member.client.delete(bucket_key) == 1
            member.client.config_set("replica-read-only", "yes")

        known, unknown = reader.get("customer-5"), reader.get("nobody")

    assert known.status is Status.FRESH
    assert known["txn_count_30d"] == 5
    assert unknown.status is Status.UNKNOWN_CUSTOMER


def test_an_erased_customer_is_gone_from_every_server(shared_fleet: Fleet) -> None:
    shop = stocked(shared_fleet)

    [removal] = erase(shop.client, shop.keyspace, shop.target.keys, "customer-9", actor="tester", reason="request")

    assert removal.held
    for replicas in Replicas:
        with shop.reader(replicas=replicas) as reader:
            assert reader.get("customer-9").status is Status.UNKNOWN_CUSTOMER
            assert reader.get("customer-8").status is Status.FRESH


def test_lookups_survive_the_death_of_a_primary(mortal_fleet: Fleet) -> None:
    shop = stocked(mortal_fleet)
    with shop.reader(budget_seconds=0.05) as reader:
        before = reader.lookups.follower.routes
        silence = Unavailability()
        numbers = iter(range(10**9))
        mortal_fleet.members[0].kill()

        silence.ask_until(
            lambda: reader.lookups.follower.routes.shards != before.shards and silence.asked > 5_000,
            lambda: reader.get(f"customer-{next(numbers) % CUSTOMERS}").status is Status.FRESH,
        )

    assert silence.longest_seconds < LONGEST_UNAVAILABLE_SECONDS, silence


def test_a_publication_survives_the_death_of_a_primary_or_fails_cleanly(mortal_fleet: Fleet) -> None:
    shop = stocked(mortal_fleet, mark=1)

    def kill(progress: Progress) -> None:
        if progress.step == "stage and verify" and mortal_fleet.members[0].process.poll() is None:
            mortal_fleet.members[0].kill()

    try:
        shop.publish(customers=CUSTOMERS, batches=batches(CUSTOMERS, mark=2), day=YESTERDAY, report=kill)
        expected = 2
    except BnplFeaturesError:
        expected = 1

    with shop.reader(budget_seconds=2.0) as reader:
        answers = reader.get_many([f"customer-{number}" for number in range(CUSTOMERS)])
    assert {(answer.status, answer["txn_count_7d"]) for answer in answers} == {(Status.FRESH, expected)}
    assert expected == 2, "the replica was there to take over"
