"""A customer who was erased is in no version, comes back with no publication, and is nowhere named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from bnpl_features.errors import InputError, PublicationRefused
from bnpl_features.store import publisher
from bnpl_features.store.erasure import (
    Removal,
    erase,
    erased_among,
    readmit,
    restore,
    settle_erasures,
    tombstones,
)
from bnpl_features.store.keyspace import CustomerKey, bucket_of, field_of
from bnpl_features.store.publishing.progress import Progress
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.retirement import Retention
from bnpl_features.store.switching import activate, roll_back
from bnpl_features.store.target import Target
from bnpl_features.store.versions import State, active_version, allocate, audit_trail, list_versions, mark
from tests.bnpl_features.store.shop import BY, SECRET, Shop, batches

KEY = CustomerKey(SECRET)
NEW_KEY = CustomerKey(b"the key that comes after")


def erased(shop: Shop, customer_id: str, *keys: CustomerKey) -> list[Removal]:
    return erase(shop.client, shop.keyspace, keys or (KEY,), customer_id, **BY)


def holds(shop: Shop, version: int, customer_id: str, key: CustomerKey = KEY) -> bool:
    """Whether a version's buckets hold the customer, whatever its manifest says."""
    digest = key.digest(customer_id)
    buckets = int(shop.client.hget(shop.keyspace.states, f"{version}:buckets"))
    return bool(shop.client.hexists(shop.keyspace.bucket(version, bucket_of(digest, buckets)), field_of(digest)))


def status(shop: Shop, customer_id: str, **options: Any) -> Status:
    with shop.reader(**options) as reader:
        return reader.get(customer_id).status


def while_staging(act: Callable[[], object], step: str = "stage and verify") -> Callable[[Progress], None]:
    """A publication's report that acts once, when the step is at its end."""
    done: list[bool] = []

    def report(progress: Progress) -> None:
        if progress.step == step and progress.done == progress.total and not done:
            done.append(True)
            act()

    return report


@contextmanager
def just_before(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], object]) -> Iterator[None]:
    """`act` in the moment in which a publication comes to that step of `publisher`."""
    step = getattr(publisher, name)

    def acted(*given: Any, **more: Any) -> Any:
        act()
        return step(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(publisher, name, acted)
        yield


def test_an_erased_customer_is_gone_from_the_active_and_every_retained_version(any_shop: Shop) -> None:
    for number in (1, 2, 3):
        any_shop.publish(mark=number, retention=Retention(5))

    removals = erased(any_shop, "customer-7")

    assert removals == [
        Removal(3, State.ACTIVE, True),
        Removal(2, State.RETAINED, True),
        Removal(1, State.RETAINED, True),
    ]
    assert not any(holds(any_shop, version, "customer-7") for version in (1, 2, 3))
    assert status(any_shop, "customer-7") is Status.UNKNOWN_CUSTOMER
    assert status(any_shop, "customer-8") is Status.STALE


def test_a_reader_that_was_there_before_stops_serving_an_erased_customer(shop: Shop) -> None:
    shop.publish()
    with shop.reader() as reader:
        before = reader.get("customer-7").status
        erased(shop, "customer-7")

        assert (before, reader.get("customer-7").status) == (Status.STALE, Status.UNKNOWN_CUSTOMER)


def test_an_erased_customer_does_not_come_back_by_a_rollback(shop: Shop) -> None:
    shop.publish(mark=1)
    shop.publish(mark=2)
    erased(shop, "customer-7")

    roll_back(shop.client, shop.keyspace, **BY)

    assert shop.active() == 1
    assert status(shop, "customer-7") is Status.UNKNOWN_CUSTOMER


def test_a_later_publication_leaves_an_erased_customer_out_and_counts_it(any_shop: Shop) -> None:
    any_shop.publish()
    erased(any_shop, "customer-7")
    erased(any_shop, "customer-70")

    manifest = any_shop.publish().manifest

    assert (manifest.customers, manifest.erased) == (300, 2)
    assert status(any_shop, "customer-7") is Status.UNKNOWN_CUSTOMER
    assert sum(any_shop.client.hlen(key) for key in any_shop.bucket_keys(2)) == 298


@pytest.mark.parametrize("step", ["encode", "stage and verify"])
def test_a_customer_erased_while_a_publication_is_under_way_is_not_in_it(any_shop: Shop, step: str) -> None:
    any_shop.publish()

    manifest = any_shop.publish(report=while_staging(lambda: erased(any_shop, "customer-7"), step)).manifest

    assert manifest.erased == 1
    assert any_shop.active() == 2
    assert not holds(any_shop, 2, "customer-7")


@pytest.mark.parametrize("moment", ["activate", "close_publication"])
def test_a_customer_erased_at_the_last_moment_is_not_in_the_version(
    shop: Shop, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish()

    with just_before(monkeypatch, moment, lambda: erased(shop, "customer-7")):
        shop.publish()

    assert shop.active() == 2
    assert not holds(shop, 2, "customer-7")
    assert status(shop, "customer-7") is Status.UNKNOWN_CUSTOMER


def test_an_erasure_between_sealing_and_the_switch_is_settled_by_the_switch(shop: Shop) -> None:
    """The tombstone alone, as where whoever erased died before removing a record."""
    version = verified_with_records(shop, "customer-7")
    shop.client.hset(shop.keyspace.erased, f"{KEY.check}:{KEY.digest('customer-7').hex()}", tombstone())
    shop.client.incr(shop.keyspace.erasures)

    activate(shop.client, shop.keyspace, version, expected=None, **BY)

    assert active_version(shop.client, shop.keyspace) == version
    assert not holds(shop, version, "customer-7")


def test_a_version_sealed_before_an_erasure_does_not_bring_the_customer_back_when_activated_by_hand(shop: Shop) -> None:
    version = verified_with_records(shop, "customer-7", "customer-8")

    assert erased(shop, "customer-7") == [Removal(version, State.VERIFIED, True)]
    activate(shop.client, shop.keyspace, version, expected=None, **BY)

    assert (holds(shop, version, "customer-7"), holds(shop, version, "customer-8")) == (False, True)


def test_a_sampled_customer_who_was_erased_does_not_fail_the_verification(shop: Shop) -> None:
    shop.publish(customers=50)
    erased(shop, "customer-0")  # the first of each batch is in the sample

    assert shop.publish(customers=50).manifest.erased == 1


@pytest.mark.parametrize("customers", [1, 3])
def test_a_publication_of_erased_customers_alone_is_served_without_them(shop: Shop, customers: int) -> None:
    """Buckets become empty, and so vanish, by erasure: that is no eviction."""
    shop.publish(customers=customers)
    for number in range(customers):
        erased(shop, f"customer-{number}")

    manifest = shop.publish(customers=customers).manifest

    assert (manifest.customers, manifest.erased) == (customers, customers)
    assert status(shop, "customer-0") is Status.UNKNOWN_CUSTOMER


def test_a_readmitted_customer_is_served_by_the_next_publication(any_shop: Shop) -> None:
    any_shop.publish()
    erased(any_shop, "customer-7")
    readmit(any_shop.client, any_shop.keyspace, (KEY,), "customer-7", **BY)
    assert status(any_shop, "customer-7") is Status.UNKNOWN_CUSTOMER

    manifest = any_shop.publish().manifest

    assert manifest.erased == 0
    assert status(any_shop, "customer-7") is Status.STALE
    assert tombstones(any_shop.client, any_shop.keyspace) == []


def test_a_customer_without_a_tombstone_is_not_readmitted(shop: Shop) -> None:
    with pytest.raises(InputError, match="this customer has no tombstone"):
        readmit(shop.client, shop.keyspace, (KEY,), "customer-7", **BY)

    assert audit_trail(shop.client, shop.keyspace) == []


def test_readmitting_lifts_the_tombstones_under_every_key(shop: Shop) -> None:
    erased(shop, "customer-7", NEW_KEY, KEY)

    readmit(shop.client, shop.keyspace, (NEW_KEY, KEY), "customer-7", **BY)

    assert tombstones(shop.client, shop.keyspace) == []


def test_someone_unknown_is_erased_for_the_future(shop: Shop) -> None:
    shop.publish()

    assert erased(shop, "newcomer-3") == [Removal(1, State.ACTIVE, False)]
    manifest = shop.publish(customers=10, batches=batches(10, prefix="newcomer")).manifest

    assert manifest.erased == 1
    assert status(shop, "newcomer-3") is Status.UNKNOWN_CUSTOMER
    assert status(shop, "newcomer-4") is Status.STALE


def test_erasing_in_an_empty_store_leaves_a_tombstone(shop: Shop) -> None:
    assert erased(shop, "customer-7") == []

    assert shop.publish().manifest.erased == 1


def test_erasing_twice_is_the_same_as_once(shop: Shop) -> None:
    shop.publish()
    erased(shop, "customer-7")

    again = erased(shop, "customer-7")

    assert again == [Removal(1, State.ACTIVE, False)]
    assert len(tombstones(shop.client, shop.keyspace)) == 1
    assert shop.publish().manifest.erased == 1


def test_any_text_may_be_erased(shop: Shop) -> None:
    for customer_id in ("", "\udc80", "a b\r\n", "x" * 10_000):
        erased(shop, customer_id)

    assert len(tombstones(shop.client, shop.keyspace)) == 4


def test_tombstones_say_who_and_why_newest_first(shop: Shop) -> None:
    erase(shop.client, shop.keyspace, (KEY,), "customer-1", actor="ann", reason='request "1" \N{SNOWMAN}')
    erase(shop.client, shop.keyspace, (KEY,), "customer-2", actor="bob", reason="request 2")

    newest, oldest = tombstones(shop.client, shop.keyspace)

    assert (newest.digest, newest.actor, newest.reason) == (KEY.digest("customer-2"), "bob", "request 2")
    assert (oldest.key_check, oldest.actor, oldest.reason) == (KEY.check, "ann", 'request "1" \N{SNOWMAN}')
    assert newest.at > oldest.at


def test_acts_of_erasure_stand_in_the_audit_without_a_customer(shop: Shop) -> None:
    shop.publish(customers=10, batches=batches(10, prefix="zebra"))
    erased(shop, "zebra-7")
    readmit(shop.client, shop.keyspace, (KEY,), "zebra-7", **BY)

    newest, before, _ = audit_trail(shop.client, shop.keyspace)

    assert [(entry.act, entry.actor, entry.reason) for entry in (newest, before)] == [
        ("readmit", *BY.values()),
        ("erase", *BY.values()),
    ]
    for key in shop.client.scan_iter(f"*{shop.namespace}*", count=1_000):
        assert b"zebra" not in shop.client.dump(key)
    assert b"zebra" not in repr(shop.client.xrange(shop.keyspace.audit)).encode()


def test_those_with_a_tombstone_are_told_from_others(shop: Shop) -> None:
    erased(shop, "customer-1")
    erased(shop, "customer-2", NEW_KEY)

    found = erased_among(shop.client, shop.keyspace, (KEY, NEW_KEY), ["customer-1", "customer-2", "customer-3"])

    assert found == {"customer-1", "customer-2"}
    assert erased_among(shop.client, shop.keyspace, (KEY,), ["customer-2"]) == set()


def test_a_damaged_manifest_does_not_keep_a_customer_in_its_version(shop: Shop) -> None:
    shop.publish()
    shop.publish()
    shop.client.set(shop.keyspace.manifest(1), "{")

    removals = erased(shop, "customer-7")

    assert [(removal.version, removal.held) for removal in removals] == [(2, True), (1, True)]
    assert not holds(shop, 1, "customer-7")


@pytest.mark.parametrize("state", [State.FAILED, State.RETIRING])
def test_a_version_that_nobody_finished_removing_does_not_keep_a_customer(shop: Shop, state: State) -> None:
    shop.publish()
    shop.publish()
    mark(shop.client, shop.keyspace, 1, state)

    erased(shop, "customer-7")

    assert not holds(shop, 1, "customer-7")


# --- customer keys that change ---------------------------------------------------------------------------------------


def publish_with(shop: Shop, key: CustomerKey, *previous: CustomerKey, **changes: Any) -> publisher.Publication:
    target = Target(shop.client, shop.keyspace, key, previous)
    return replaced(shop, target).publish(**changes)


def replaced(shop: Shop, target: Target) -> Shop:
    """The same namespace, published to with other customer keys."""

    class Other(Shop):
        @property
        def target(self) -> Target:
            return replace(target, client=shop.client)

    return Other(shop.url, shop.namespace)


def test_a_tombstone_under_the_previous_key_holds_after_the_key_has_changed(any_shop: Shop) -> None:
    any_shop.publish()
    erased(any_shop, "customer-7")

    manifest = publish_with(any_shop, NEW_KEY, KEY).manifest

    assert (manifest.key_check, manifest.erased) == (NEW_KEY.check, 1)
    assert not holds(any_shop, 2, "customer-7", NEW_KEY)
    assert holds(any_shop, 2, "customer-8", NEW_KEY)


def test_a_tombstone_carried_over_holds_without_the_previous_key_once_it_is_lifted(shop: Shop) -> None:
    shop.publish()
    erased(shop, "customer-7")
    publish_with(shop, NEW_KEY, KEY)

    with pytest.raises(PublicationRefused, match="1 customers were erased under a customer key that is not at hand"):
        publish_with(shop, NEW_KEY)

    assert shop.active() == 2


def test_a_publication_is_refused_where_tombstones_are_under_a_key_not_at_hand(shop: Shop) -> None:
    shop.publish()
    erased(shop, "customer-7")

    with pytest.raises(PublicationRefused, match="would come back; set BNPL_PREVIOUS_CUSTOMER_KEYS"):
        publish_with(shop, NEW_KEY)

    assert shop.active() == 1
    assert shop.bucket_keys(2) == []
    assert [version.number for version in list_versions(shop.client, shop.keyspace)] == [1]


def test_carrying_over_keeps_who_erased_and_why_and_happens_once(shop: Shop) -> None:
    erase(shop.client, shop.keyspace, (KEY,), "customer-7", actor="ann", reason="request 1")
    erase(shop.client, shop.keyspace, (NEW_KEY, KEY), "customer-8", actor="bob", reason="request 2")

    publish_with(shop, NEW_KEY, KEY)
    acts = len(audit_trail(shop.client, shop.keyspace))
    publish_with(shop, NEW_KEY, KEY)

    under_new = {
        stone.digest: stone for stone in tombstones(shop.client, shop.keyspace) if stone.key_check != KEY.check
    }
    carried, given = under_new[NEW_KEY.digest("customer-7")], under_new[NEW_KEY.digest("customer-8")]
    assert "request 1" in carried.reason
    assert (given.actor, given.reason) == ("bob", "request 2")
    assert len(audit_trail(shop.client, shop.keyspace)) == acts + 1  # the activation


def test_an_erasure_reaches_versions_of_both_keys(shop: Shop) -> None:
    shop.publish()
    publish_with(shop, NEW_KEY, KEY)

    removals = erased(shop, "customer-7", NEW_KEY, KEY)

    assert [(removal.version, removal.held) for removal in removals] == [(2, True), (1, True)]
    assert not holds(shop, 1, "customer-7")
    assert not holds(shop, 2, "customer-7", NEW_KEY)


def test_an_erasure_is_refused_where_a_version_has_a_key_not_at_hand(shop: Shop) -> None:
    shop.publish()
    publish_with(shop, NEW_KEY)

    with pytest.raises(PublicationRefused, match=r"version 1 was published with a customer key that is not at hand"):
        erased(shop, "customer-7", NEW_KEY)

    assert not holds(shop, 2, "customer-7", NEW_KEY)


def test_an_erasure_is_refused_while_a_version_of_a_key_not_at_hand_is_staged(shop: Shop) -> None:
    """Whoever erases has the old key alone, and the publisher the new one already: the tombstone would not be seen."""
    shop.publish()
    told: list[str] = []

    def erase_with_the_old_key() -> None:
        with pytest.raises(PublicationRefused, match="customer key that is not at hand") as caught:
            erased(shop, "customer-7", KEY)
        told.append(str(caught.value))

    publish_with(shop, NEW_KEY, KEY, report=while_staging(erase_with_the_old_key))

    assert len(told) == 1
    assert "version 2" in told[0]


def test_a_settlement_counts_those_who_were_in_the_version(shop: Shop) -> None:
    version = verified_with_records(shop, "customer-7", "customer-8")
    for customer_id in ("customer-7", "nobody"):
        digest = KEY.digest(customer_id).hex()
        shop.client.hset(shop.keyspace.erased, f"{KEY.check}:{digest}", tombstone())

    assert settle_erasures(shop.client, shop.keyspace, version) == 1
    assert settle_erasures(shop.client, shop.keyspace, version) == 0


def verified_with_records(shop: Shop, *customers: str) -> int:
    """A verified version of one bucket that holds the customers."""
    version = allocate(shop.client, shop.keyspace, buckets=1, key_check=KEY.check)
    for customer_id in customers:
        shop.client.hset(shop.keyspace.bucket(version, 0), field_of(KEY.digest(customer_id)), b"record")
    mark(shop.client, shop.keyspace, version, State.VERIFIED)
    return version


def tombstone() -> str:
    return '{"at": "1.000", "actor": "a", "reason": "r"}'


def test_tombstones_that_a_store_lost_are_restored_from_a_copy_and_their_customers_taken_out(shop: Shop) -> None:
    shop.publish()
    erase(shop.client, shop.keyspace, shop.target.keys, "customer-1", **BY)
    copy = tombstones(shop.client, shop.keyspace)
    for key in (shop.keyspace.erased, shop.keyspace.erasures, *shop.bucket_keys(1)):
        shop.client.delete(key)
    shop.publish()
    came_back = shop.reads(300)

    first, again = (restore(shop.client, shop.keyspace, copy) for _ in range(2))

    assert came_back == {"stale": 300}
    assert (first, again) == (1, 0)
    assert shop.reads(300) == {"stale": 299, "unknown_customer": 1}
    shop.publish()
    assert shop.reads(300) == {"stale": 299, "unknown_customer": 1}
    assert [(one.digest, one.actor) for one in tombstones(shop.client, shop.keyspace)] == [
        (one.digest, one.actor) for one in copy
    ]
