"""Feature sets side by side: each with a pointer of its own, in one namespace; readers follow the set they ask for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import date, timedelta

import pytest
import redis

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import PublicationRefused, VersionMissing
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.erasure import erase
from bnpl_features.store.keyspace import FIRST_SET, CustomerKey
from bnpl_features.store.readers import FORGOTTEN_SECONDS, announce, readers_of
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.retirement import Retention, retire, sweep
from bnpl_features.store.switching import activate, roll_back, withdraw
from bnpl_features.store.versions import State, active_version, list_versions
from tests.bnpl_features.store.conftest import Server
from tests.bnpl_features.store.shop import BY, DAY, LAYOUT, SECRET, Shop, batches, new_shop, wait_until

NEWER = Layout("behavioural@2", tuple(one for one in LAYOUT.fields if one.name != "night_share_30d"))
NEXT_DAY = DAY + timedelta(days=1)


def publish_newer(shop: Shop, mark: int, day: date = DAY, **changes: object) -> int:
    return shop.publish(day=day, layout=NEWER, mark=mark, **changes).manifest.version


def marks(shop: Shop, *feature_sets: str) -> list[object]:
    """What a reader of each set reads of the first customer's mark."""
    found = []
    for name in feature_sets:
        with shop.reader(feature_set=name) as reader:
            found.append(reader.get("customer-0")["txn_count_7d"])
    return found


def test_two_sets_are_published_and_served_side_by_side(shop: Shop) -> None:
    shop.publish(mark=1)
    publish_newer(shop, mark=2)

    assert marks(shop, FIRST_SET, NEWER.feature_set) == [1, 2]
    assert [(one.state, one.feature_set) for one in list_versions(shop.client, shop.keyspace)] == [
        (State.ACTIVE, NEWER.feature_set),
        (State.ACTIVE, FIRST_SET),
    ]


def test_the_first_set_stays_where_earlier_releases_read_it(shop: Shop) -> None:
    version = shop.publish().manifest.version
    publish_newer(shop, mark=2)

    assert shop.client.get(f"{{{shop.namespace}}}:active") == str(version).encode()


def test_one_reader_reads_several_sets_once_it_follows_them(shop: Shop) -> None:
    shop.publish(mark=1)
    publish_newer(shop, mark=2)

    with shop.reader() as reader:
        before = reader.get("customer-0", feature_set=NEWER.feature_set)
        reader.follow(NEWER.feature_set)
        after = reader.get("customer-0", feature_set=NEWER.feature_set)
        still = reader.get("customer-0")

    assert before.status is Status.UNAVAILABLE
    assert "not followed by this reader; call follow('behavioural@2')" in before.reason
    assert (after["txn_count_7d"], still["txn_count_7d"]) == (2, 1)
    assert "night_share_30d" in still.names
    assert "night_share_30d" not in after.names


def test_asyncio_reads_several_sets_as_well(shop: Shop) -> None:
    shop.publish(mark=1)
    publish_newer(shop, mark=2)

    async def read() -> list[object]:
        options = {"namespace": shop.namespace, "customer_key": SECRET, "budget_seconds": 0.5}
        async with await AsyncCustomerFeatureStore.open(shop.url, **options) as store:  # type: ignore[arg-type]
            await store.follow(NEWER.feature_set)
            answers = [await store.get("customer-0", feature_set=name) for name in (NEWER.feature_set, FIRST_SET)]
            return [answer["txn_count_7d"] for answer in answers]

    assert asyncio.run(read()) == [2, 1]


def test_a_set_that_was_never_published_is_unavailable_and_says_so(shop: Shop) -> None:
    shop.publish()

    with shop.reader(feature_set="behavioural@9") as reader:
        answer = reader.get("customer-0")

    assert answer.status is Status.UNAVAILABLE
    assert "nothing was published of feature set behavioural@9" in answer.reason


def test_a_switch_or_rollback_of_one_set_leaves_the_others_alone(shop: Shop) -> None:
    shop.publish(mark=1)
    older = publish_newer(shop, mark=2)
    publish_newer(shop, mark=3, day=NEXT_DAY)
    newer = shop.target.of(NEWER.feature_set)

    assert marks(shop, FIRST_SET, NEWER.feature_set) == [1, 3]

    roll_back(newer.client, newer.keyspace, **BY)

    assert active_version(newer.client, newer.keyspace) == older
    assert marks(shop, FIRST_SET, NEWER.feature_set) == [1, 2]


def test_each_set_keeps_a_version_for_its_own_rollback(shop: Shop) -> None:
    first = [shop.publish(day=DAY + n * timedelta(days=1)).manifest.version for n in range(2)]
    second = [publish_newer(shop, mark=1, day=DAY + n * timedelta(days=1)) for n in range(3)]

    removed = sweep(shop.client, shop.keyspace, retention=Retention(1), grace_seconds=0)

    assert removed == second[:1]
    assert {one.number for one in list_versions(shop.client, shop.keyspace)} == {*first, *second[1:]}


def test_a_version_is_never_activated_for_another_set(shop: Shop) -> None:
    first = shop.publish().manifest.version
    other = shop.publish(day=NEXT_DAY).manifest.version
    newer = shop.target.of(NEWER.feature_set)
    current = publish_newer(shop, mark=1)

    with pytest.raises(VersionMissing, match="is not retained"):
        roll_back(newer.client, newer.keyspace, first, **BY)
    with pytest.raises(PublicationRefused, match="is of feature set behavioural@1, whose pointer is another"):
        activate(newer.client, newer.keyspace, other, expected=current, **BY)


def test_the_active_version_of_any_set_is_never_retired(shop: Shop) -> None:
    shop.publish()
    version = publish_newer(shop, mark=2)

    with pytest.raises(VersionMissing, match="is the active one"):
        retire(shop.client, shop.keyspace, version, grace_seconds=0, **BY)


def test_an_older_day_is_refused_by_set(shop: Shop) -> None:
    shop.publish(day=NEXT_DAY)

    publish_newer(shop, mark=2, day=DAY)  # the other set has no day yet

    with pytest.raises(PublicationRefused, match="a publication never moves back in time"):
        shop.publish(day=DAY)


def test_an_erased_customer_is_gone_from_every_set_and_does_not_come_back(shop: Shop) -> None:
    shop.publish()
    publish_newer(shop, mark=2)

    removals = erase(shop.client, shop.keyspace, [CustomerKey(SECRET)], "customer-0", **BY)
    publish_newer(shop, mark=3, day=NEXT_DAY)

    assert [one.held for one in removals] == [True, True]
    for name in (FIRST_SET, NEWER.feature_set):
        with shop.reader(feature_set=name) as reader:
            assert reader.get("customer-0").status is Status.UNKNOWN_CUSTOMER


def test_a_withdrawn_set_is_unavailable_and_its_memory_comes_back(shop: Shop) -> None:
    shop.publish()
    version = publish_newer(shop, mark=2)
    newer = shop.target.of(NEWER.feature_set)

    with shop.reader(feature_set=NEWER.feature_set) as reader:
        withdraw(newer.client, newer.keyspace, **BY)
        wait_until(lambda: reader.served is None, "the reader hears of it")
        assert reader.get("customer-0").status is Status.UNAVAILABLE
    assert sweep(shop.client, shop.keyspace, grace_seconds=0) == [version]

    assert shop.bucket_keys(version) == []
    assert marks(shop, FIRST_SET) == [1]
    with pytest.raises(VersionMissing, match="nothing of behavioural@2 is active"):
        withdraw(newer.client, newer.keyspace, **BY)


def test_a_damaged_set_does_not_hold_up_the_others(shop: Shop) -> None:
    shop.publish()
    version = publish_newer(shop, mark=2)
    shop.client.set(shop.keyspace.manifest(version), "{")

    with shop.reader() as reader:
        with pytest.raises(Exception, match="a manifest cannot be read"):
            reader.follow(NEWER.feature_set)
        assert "cannot be read" in reader.get("customer-0", feature_set=NEWER.feature_set).reason
        shop.publish(day=NEXT_DAY, mark=7)
        wait_until(lambda: reader.get("customer-0")["txn_count_7d"] == 7, "the first set's switch is seen")
        assert reader.lookups.follower.age_seconds < 5


def test_readers_of_a_deprecated_set_are_warned_once(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", logger="bnpl_features.store")
    shop.publish(deprecated_on=date(2024, 6, 30))

    with shop.reader() as reader:
        assert reader.served is not None
        assert reader.served.deprecation == (
            "feature set behavioural@1 is deprecated, and may be withdrawn after 2024-06-30; move to a newer one"
        )
        shop.publish(day=NEXT_DAY, deprecated_on=date(2024, 6, 30))
        wait_until(lambda: reader.served is not None and reader.served.manifest.version == 2, "the switch is seen")

    assert len([record for record in caplog.records if "is deprecated" in record.message]) == 1


def test_a_reader_announces_the_sets_that_it_reads_not_those_that_it_follows(shop: Shop) -> None:
    shop.publish()
    publish_newer(shop, mark=2)

    with shop.reader() as reader:
        reader.follow(NEWER.feature_set)
        reader.get("customer-0", feature_set=NEWER.feature_set)
        wait_until(lambda: bool(readers_of(shop.client, shop.keyspace)), "the reader announces itself")
        found = readers_of(shop.client, shop.keyspace)

    assert [one.feature_set for one in found] == [NEWER.feature_set]
    assert abs(found[0].seen_at - time.time()) < 60
    assert readers_of(shop.client, shop.keyspace, FIRST_SET) == []


def test_who_only_looks_at_what_is_served_is_no_reader(shop: Shop) -> None:
    shop.publish()

    with shop.reader(announce=False) as reader:
        reader.get("customer-0")
        time.sleep(1.5)

    assert readers_of(shop.client, shop.keyspace) == []


def test_readers_are_forgotten_after_a_week(shop: Shop) -> None:
    announce(shop.client, shop.keyspace, ["behavioural@1"])
    week_ago = time.time() - FORGOTTEN_SECONDS - 1
    shop.client.hset(shop.keyspace.readers, "behavioural@1 0.0.1 host:1", str(week_ago))

    assert len(readers_of(shop.client, shop.keyspace)) == 1
    assert shop.client.hlen(shop.keyspace.readers) == 1
    assert 0 < shop.client.ttl(shop.keyspace.readers) <= FORGOTTEN_SECONDS


def test_a_login_that_may_only_read_is_served_though_not_seen(server: Server) -> None:
    url = server()
    shop = new_shop(url)
    shop.publish()
    client = redis.Redis.from_url(url)
    client.acl_setuser("looker", enabled=True, nopass=True, keys=["*"], channels=["*"], categories=["+@all", "-@write"])
    shop_of_looker = replace(shop, url=url.replace("redis://", "redis://looker:x@") if "://" in url else url)

    with shop_of_looker.reader() as reader:
        assert reader.get("customer-0").status in (Status.FRESH, Status.STALE)
        time.sleep(1.5)
        assert reader.lookups.follower.age_seconds < 1.4

    assert readers_of(shop.client, shop.keyspace) == []


def test_ten_sets_are_read_by_one_reader(shop: Shop) -> None:
    names = [f"behavioural@{number}" for number in range(1, 11)]
    for number, name in enumerate(names, start=1):
        shop.publish(50, layout=Layout(name, LAYOUT.fields), batches=batches(50, mark=number))

    with shop.reader() as reader:
        for name in names:
            reader.follow(name)
        found = [reader.get("customer-7", feature_set=name)["txn_count_7d"] for name in names]

    assert found == list(range(1, 11))
