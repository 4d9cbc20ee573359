"""The store's users on a real Redis: each does all of its work, and is denied what is not its work."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from bnpl_features.errors import PublicationRefused, SettingsError, StoreUnavailable
from bnpl_features.features.catalog import SETS
from bnpl_features.monitoring.store import store_families
from bnpl_features.scoring.experiments.definition import Definitions
from bnpl_features.scoring.experiments.shelf import change, lazy_store_shelf, read_definitions
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.buckets import each
from bnpl_features.store.connection import connect
from bnpl_features.store.erasure import erase, readmit
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.preflight import check_settings
from bnpl_features.store.readers import readers_of
from bnpl_features.store.reading.asking import Replicas
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.retirement import retire
from bnpl_features.store.switching import roll_back, withdraw
from bnpl_features.store.target import Target
from bnpl_features.store.users import (
    CONSOLE,
    PRODUCER,
    PUBLISHER,
    READER,
    USERS,
    WORKER,
    StoreUser,
    acl_file,
    rules_of,
)
from bnpl_features.store.velocity import letters
from bnpl_features.store.versions import GRACE_SECONDS, audit_trail, list_versions
from bnpl_features.store.wire import command
from bnpl_features.streaming.event import encode
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource
from bnpl_features.streaming.worker import Worker
from tests.bnpl_features.store.shop import (
    BY,
    LAYOUT,
    SECRET,
    Shop,
    batches,
    redis_server,
    wait_until,
)
from tests.fleet import Fleet, cluster

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
NAMESPACE = "guarded"
KEYS = Keyspace(NAMESPACE)
PASSWORDS = {user.name: [f"{user.name}-password"] for user in USERS}
ADMINISTRATOR = "administrator-password"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's Redis that loaded the users from the ACL file."""
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "users.acl"
    file.write_text(acl_file(KEYS, PASSWORDS, [ADMINISTRATOR]))
    with redis_server(folder, "--aclfile", str(file), password=ADMINISTRATOR) as url:
        yield url


@dataclass
class Backstage:
    """What the administrator does to set the scene, and how often each command was called meanwhile."""

    url: str
    client: redis.Redis
    calls: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def shop(self) -> Iterator[Shop]:
        before = self.counted()
        yield Shop(self.url, NAMESPACE)
        self.calls += self.counted() - before

    def counted(self) -> Counter[str]:
        stats = self.client.info("commandstats")
        return Counter({name.removeprefix("cmdstat_").lower(): found["calls"] for name, found in stats.items()})

    def called_on_stage(self) -> set[str]:
        return set(self.counted() - self.calls)


@pytest.fixture
def backstage(guarded: str) -> Iterator[Backstage]:
    """Of a server that is empty, and has counted nothing."""
    client = redis.Redis.from_url(guarded)
    client.flushall()
    client.execute_command("ACL", "LOG", "RESET")
    client.config_resetstat()
    yield Backstage(guarded, client)
    client.close()


def shop_of(user: StoreUser, guarded: str) -> Shop:
    return Shop(guarded.replace(f":{ADMINISTRATOR}@", f"{user.name}:{user.name}-password@"), NAMESPACE)


# --- each does its work ----------------------------------------------------------------------------------------------


def publishers_work(shop: Shop, backstage: Backstage) -> None:
    with backstage.shop() as prepared:
        erase(prepared.client, KEYS, prepared.target.keys, "customer-3", **BY)
    shop.publish(day=YESTERDAY)
    shop.publish(day=YESTERDAY, mark=2, expire_seconds=3_600.0)
    with pytest.raises(PublicationRefused):
        shop.publish(day=YESTERDAY, customers=301, batches=batches(300))
    with backstage.shop() as prepared:
        ago = {f"{number}:since": time.time() - 2 * GRACE_SECONDS for number in (1, 2)}
        prepared.client.hset(KEYS.states, mapping=ago)
    later = Target(shop.client, KEYS, CustomerKey(b"the next key"), (CustomerKey(SECRET),))
    publish(later, LAYOUT, batches(300), partition=YESTERDAY, customers=300, provenance=Provenance())
    with shop.reader(customer_key=b"the next key", announce=False) as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 1
    list(store_families(shop.target))
    readers_of(shop.client, KEYS)
    compare_velocity(shop)
    source = RedisSource(shop.client, KEYS.purchases, "velocity")
    source.lag()
    source.close()
    shop.client.xlen(KEYS.dead_letters)
    change(lazy_store_shelf(shop.url, KEYS), lambda definitions: Definitions(), act="stop", **BY)


def compare_velocity(shop: Shop) -> None:
    for _ in each(shop.client, [KEYS.velocity_bucket(0)], lambda key: command(b"HGETALL", key)):
        pass


def readers_work(shop: Shop, backstage: Backstage) -> None:
    with backstage.shop() as prepared:
        prepared.publish(day=YESTERDAY)
    connect(shop.url).close()  # as a probe does
    with shop.reader(velocity=True) as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 1
        wait_until(lambda: backstage.client.pubsub_numsub(KEYS.events)[0][1] == 1, "the reader listens")

    async def read() -> float:
        options: dict[str, Any] = {"namespace": NAMESPACE, "customer_key": SECRET, "budget_seconds": 2.0}
        async with await AsyncCustomerFeatureStore.open(shop.url, velocity=True, **options) as reader:
            await reader.follow(SETS[-1].name)
            return float((await reader.get("customer-1"))["txn_count_7d"] or 0)

    assert asyncio.run(read()) == 1
    assert not read_definitions(lazy_store_shelf(shop.url, KEYS)).running
    with backstage.shop() as prepared:
        assert readers_of(prepared.client, KEYS)


def workers_work(shop: Shop, backstage: Backstage) -> None:
    source = RedisSource(shop.client, KEYS.purchases, "velocity", claim_seconds=0.0)
    worker = Worker(source, shop.target)
    with backstage.shop() as prepared:
        producer = RedisProducer(prepared.client, KEYS.purchases, "velocity")
        erase(prepared.client, KEYS, prepared.target.keys, "customer-2", **BY)
        producer.append([event("customer-1"), event("customer-2"), b"poison"])
    while worker.turn():
        pass
    list(source.log(0))
    with backstage.shop() as prepared:
        RedisProducer(prepared.client, KEYS.purchases, "velocity").append([event("customer-1", "later")])
    days_later = Worker(source, shop.target, clock=lambda: time.time() + 3 * 86_400)
    while days_later.turn():
        pass
    source.close()
    assert worker.measures.events == {"applied": 1, "erased": 1, "poison": 1}
    with backstage.shop() as prepared:
        assert prepared.client.hlen(KEYS.velocity(prepared.target.key.digest("customer-1"))) == 0


def producers_work(shop: Shop, backstage: Backstage) -> None:
    producer = RedisProducer(shop.client, KEYS.purchases, "velocity")
    producer.append([event("customer-1")])
    producer.append([event("customer-2")])
    with backstage.shop() as prepared:
        assert prepared.client.xlen(KEYS.purchases) == 2


def operators_work(shop: Shop, backstage: Backstage) -> None:
    with backstage.shop() as prepared:
        prepared.publish(day=YESTERDAY)
        prepared.publish(day=YESTERDAY)
        RedisProducer(prepared.client, KEYS.purchases, "velocity").append([event("customer-1")])
        letters.add(prepared.client, KEYS, [("1-1", "unreadable", b"poison")])
    roll_back(shop.client, KEYS, **BY)
    retire(shop.client, KEYS, 2, grace_seconds=0.0, **BY)
    assert erase(shop.client, KEYS, shop.target.keys, "customer-1", **BY)[0].held
    with shop.reader(velocity=True, announce=False) as reader:
        assert reader.get("customer-1").status is Status.UNKNOWN_CUSTOMER
        wait_until(lambda: backstage.client.pubsub_numsub(KEYS.events)[0][1] == 1, "the reader listens")
    readmit(shop.client, KEYS, shop.target.keys, "customer-1", **BY)
    found = letters.newest(shop.client, KEYS)
    RedisProducer(shop.client, KEYS.purchases, "velocity").append([letter.payload for letter in found])
    letters.remove(shop.client, KEYS, found)
    source = RedisSource(shop.client, KEYS.purchases, "velocity")
    source.lag()
    source.close()
    list(store_families(shop.target))
    check_settings(shop.client, LAYOUT)
    readers_of(shop.client, KEYS)
    change(lazy_store_shelf(shop.url, KEYS), lambda definitions: Definitions(), act="start", **BY)
    withdraw(shop.client, KEYS, **BY)
    assert audit_trail(shop.client, KEYS)[0].act == "withdraw"
    assert [version.number for version in list_versions(shop.client, KEYS)] == [1]


WORK = {
    PUBLISHER: publishers_work,
    READER: readers_work,
    WORKER: workers_work,
    PRODUCER: producers_work,
    CONSOLE: operators_work,
}
WITH_REPLICAS = {"wait"}


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_each_user_does_all_its_work_and_may_do_nothing_that_its_work_does_not_need(
    user: StoreUser, guarded: str, backstage: Backstage
) -> None:
    WORK[user](shop_of(user, guarded), backstage)

    assert backstage.client.acl_log() == []
    assert user.commands - backstage.called_on_stage() == WITH_REPLICAS & user.commands


@pytest.fixture(scope="module")
def guarded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A primary and its replica, as a cluster, with the users."""
    with cluster(tmp_path_factory.mktemp("cluster"), primaries=1) as fleet:
        for member in fleet.members:
            for user in USERS:
                login = ("on", f">{user.name}-password")
                member.client.execute_command("ACL", "SETUSER", user.name, *login, *rules_of(user, KEYS).split())
        yield fleet


def test_the_users_work_on_a_cluster_with_replicas(guarded_cluster: Fleet) -> None:
    def of(user: StoreUser) -> Shop:
        return Shop(guarded_cluster.url.replace("://", f"://{user.name}:{user.name}-password@"), NAMESPACE)

    of(PUBLISHER).publish(day=YESTERDAY)
    RedisProducer(of(PRODUCER).client, KEYS.purchases, "velocity").append([event("customer-1")])
    worker = Worker(RedisSource(of(WORKER).client, KEYS.purchases, "velocity"), of(WORKER).target)
    while worker.turn():
        pass
    with of(READER).reader(velocity=True, replicas=Replicas.FIRST) as reader:
        before = reader.get("customer-1")
        erase(of(CONSOLE).client, KEYS, of(CONSOLE).target.keys, "customer-1", **BY)
        after = reader.get("customer-1")

    assert (before.status, after.status) == (Status.FRESH, Status.UNKNOWN_CUSTOMER)
    assert before.velocity
    assert before.velocity.as_dict()["txn_count_24h"] == 1
    assert [log for member in guarded_cluster.members for log in member.client.acl_log()] == []


# --- each is denied what is not its work -----------------------------------------------------------------------------

RECORD, STATE = KEYS.bucket(1, 0).decode(), KEYS.velocity_bucket(0).decode()
ELSEWHERE = Keyspace("another")
NOBODYS_WORK = ["FLUSHALL", "KEYS *", "CONFIG SET maxmemory 1", "ACL LIST", "SHUTDOWN", "MONITOR"]
NOBODYS_WORK += ["CLIENT LIST", "REPLICAOF no one", "SCAN 0", f"GET {ELSEWHERE.active}", f"HGETALL {ELSEWHERE.states}"]
NOBODYS_WORK += [
    f"HGET {ELSEWHERE.bucket(1, 0).decode()} f",
    f"XRANGE {ELSEWHERE.purchases} - +",
    "MIGRATE 127.0.0.1 1 key 0 1",
]
DENIED: dict[StoreUser, list[str]] = {
    PUBLISHER: [
        f"HSET {STATE} f v",  # velocity is the worker's
        f"XADD {KEYS.purchases} * f v",
        f"XRANGE {KEYS.dead_letters} - +",  # events as they came, customer ids among them
        f"SET {KEYS.caught_up} 1",
        f"SUBSCRIBE {ELSEWHERE.events}",
    ],
    READER: [
        f"HSET {RECORD} f v",
        f"HGETALL {RECORD}",
        f"SET {KEYS.active} 1",
        f"HSET {STATE} f v",
        f"GET {KEYS.erasures}",
        f"HGET {KEYS.erased} f",
        f"HGET {KEYS.readers} f",
        f"HSET {KEYS.states} f v",
        f"XRANGE {KEYS.purchases} - +",
        f"PUBLISH {KEYS.events} 1",
        f"EVAL redis.call('SET',KEYS[1],'1') 1 {KEYS.active}",
    ],
    WORKER: [
        f"HGET {RECORD} f",
        f"HSET {RECORD} f v",
        f"GET {KEYS.active}",
        f"SET {KEYS.active} 1",
        f"HSET {KEYS.erased} f v",
        f"XRANGE {KEYS.audit} - +",
        f"XADD {KEYS.purchases} * f v",
        f"XRANGE {KEYS.dead_letters} - +",
        f"EVAL redis.call('SET',KEYS[1],'1') 1 {STATE}",
    ],
    PRODUCER: [
        f"XRANGE {KEYS.purchases} - +",
        f"XREAD STREAMS {KEYS.purchases} 0",
        f"DEL {KEYS.purchases}",
        f"HGET {RECORD} f",
        f"GET {KEYS.active}",
        f"XADD {KEYS.dead_letters} * f v",
    ],
    CONSOLE: [
        f"HSET {RECORD} f v",  # takes records out, and cannot write any
        f"HGETALL {RECORD}",
        f"SET {KEYS.lease} mine",
        f"SET {KEYS.caught_up} 1",
        f"DEL {KEYS.purchases}",
    ],
}


@pytest.mark.parametrize(
    ("user", "words"),
    [(user, words) for user in USERS for words in [*NOBODYS_WORK, *DENIED[user]]],
    ids=lambda given: given.name if isinstance(given, StoreUser) else given,
)
def test_each_user_is_denied(user: StoreUser, words: str, guarded: str) -> None:
    client = shop_of(user, guarded).client

    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*words.split(" "))


def test_without_a_users_password_there_is_no_way_in(guarded: str) -> None:
    open_door = guarded.replace(f":{ADMINISTRATOR}@", "")
    guessed = guarded.replace(f":{ADMINISTRATOR}@", "reader:guessed@")

    for url in (open_door, guessed):
        with pytest.raises(StoreUnavailable, match="refuses the login"):
            connect(url)


def test_a_password_is_changed_without_an_outage(tmp_path: Path) -> None:
    """Both are valid while processes take up the new one; then the old one is not."""
    file = tmp_path / "users.acl"

    def load(*passwords: str) -> None:
        file.write_text(acl_file(KEYS, {"reader": passwords}, [ADMINISTRATOR]))
        administrator.execute_command("ACL", "LOAD")

    file.write_text(acl_file(KEYS, {"reader": ["old"]}, [ADMINISTRATOR]))
    with redis_server(tmp_path, "--aclfile", str(file), password=ADMINISTRATOR) as url:
        administrator = redis.Redis.from_url(url)
        old, new = (url.replace(f":{ADMINISTRATOR}@", f"reader:{password}@") for password in ("old", "new"))
        held = connect(old)
        load("old", "new")
        connect(old).close()
        connect(new).close()
        load("new")

        with pytest.raises(StoreUnavailable, match="refuses the login"):
            connect(old)
        with pytest.raises(redis.ConnectionError):  # ACL LOAD ends the connections of users that it changed
            held.ping()
        connect(new).close()


def test_the_file_holds_digests_and_no_password() -> None:
    file = acl_file(KEYS, PASSWORDS, [ADMINISTRATOR])

    assert "password" not in file
    assert file.count("#") == len(USERS) + 1


def test_without_an_administrators_password_nobody_comes_in_as_the_default_user() -> None:
    assert acl_file(KEYS, PASSWORDS).startswith("user default off resetkeys resetchannels -@all\n")


def test_a_user_without_a_password_is_left_out() -> None:
    assert "reader" not in acl_file(KEYS, {"publisher": ["secret"]}).replace("{guarded}:readers", "")


@pytest.mark.parametrize("namespace", ["prod*", "prod?", "[ab]", "back\\slash"])
def test_a_namespace_that_would_match_others_keys_is_refused(namespace: str) -> None:
    with pytest.raises(SettingsError, match="would match others"):
        rules_of(READER, Keyspace(namespace))


def event(customer: str, number: str = "t") -> bytes:
    payload: dict[str, Any] = {"transaction_id": f"{customer}-{number}", "customer_id": customer}
    payload |= {"transaction_timestamp": datetime.now(UTC), "amount": 1.0, "status": "completed"}
    return encode(payload | {"device_id": "d", "product_category": "home"})
