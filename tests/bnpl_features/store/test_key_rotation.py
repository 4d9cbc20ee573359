"""The customer key is changed while customers are read: no lookup misses, whichever key a version has."""

from __future__ import annotations

import threading
import time

import pytest

from bnpl_features.errors import LayoutMismatch
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.switching import roll_back
from bnpl_features.store.target import Target
from tests.bnpl_features.store.shop import BY, DAY, LAYOUT, SECRET, Shop, batches, wait_until

NEW = b"the key that comes after"
CUSTOMERS = [f"customer-{number}" for number in range(300)]


def publish_with_the_new_key(shop: Shop, mark: int = 2) -> None:
    target = Target(shop.client, shop.keyspace, CustomerKey(NEW), (CustomerKey(SECRET),))
    publish(target, LAYOUT, batches(300, mark=mark), partition=DAY, customers=300, provenance=Provenance())


def test_a_reader_with_both_keys_reads_before_and_after_the_switch_without_a_miss(any_shop: Shop) -> None:
    any_shop.publish(mark=1)
    ended = threading.Event()

    def change() -> None:
        time.sleep(0.1)
        publish_with_the_new_key(any_shop)
        time.sleep(0.1)
        roll_back(any_shop.client, any_shop.keyspace, **BY)
        time.sleep(0.1)
        ended.set()

    thread = threading.Thread(target=change)
    with any_shop.reader(customer_key=NEW, previous_customer_keys=[SECRET]) as reader:
        thread.start()
        seen = []
        while not ended.is_set():
            seen += reader.get_many(CUSTOMERS)
        thread.join()

    assert {answer.status for answer in seen} == {Status.STALE}
    assert {(answer.version, answer["txn_count_7d"]) for answer in seen} == {(1, 1), (2, 2)}


def test_the_order_of_the_previous_keys_does_not_matter(shop: Shop) -> None:
    shop.publish()

    with shop.reader(customer_key=NEW, previous_customer_keys=[b"older", SECRET, b"oldest"]) as reader:
        assert {answer.status for answer in reader.get_many(CUSTOMERS)} == {Status.STALE}


def test_a_reader_without_the_versions_key_is_refused_at_construction(shop: Shop) -> None:
    shop.publish()

    with pytest.raises(LayoutMismatch, match=r"version 1 was published with another customer key.*BNPL_CUSTOMER_KEY"):
        shop.reader(customer_key=NEW)
    with pytest.raises(LayoutMismatch, match="version 1 was published with another customer key"):
        shop.reader(customer_key=NEW, previous_customer_keys=[b"older"])


def test_a_reader_that_was_not_given_the_new_key_keeps_serving_the_version_at_hand_and_says_so(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.publish(mark=1)
    with shop.reader() as reader:
        publish_with_the_new_key(shop)
        wait_until(lambda: "keep serving the version at hand" in caplog.text, "the log says so")

        answers = reader.get_many(CUSTOMERS)

    assert {(answer.status, answer.version, answer["txn_count_7d"]) for answer in answers} == {(Status.STALE, 1, 1)}
    assert "version 2 was published with another customer key" in caplog.text
    assert SECRET.decode() not in caplog.text
    assert NEW.decode() not in caplog.text


def test_a_reader_that_was_not_given_the_new_key_follows_again_after_a_rollback(shop: Shop) -> None:
    shop.publish(mark=1)
    with shop.reader() as reader:
        publish_with_the_new_key(shop)
        time.sleep(0.3)
        roll_back(shop.client, shop.keyspace, **BY)
        shop.publish(mark=3)

        wait_until(lambda: reader.get("customer-1")["txn_count_7d"] == 3, "the next version of its key is served")


def test_an_empty_key_may_be_the_previous_one(shop: Shop) -> None:
    """As where a store began without one."""
    target = Target(shop.client, shop.keyspace, CustomerKey(b""))
    publish(target, LAYOUT, batches(300), partition=DAY, customers=300, provenance=Provenance())

    with shop.reader(customer_key=NEW, previous_customer_keys=[b""]) as reader:
        assert reader.get("customer-1").status is Status.STALE
