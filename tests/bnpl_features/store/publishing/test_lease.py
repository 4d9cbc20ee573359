"""One publisher at a time."""

from __future__ import annotations

import time

import pytest

from bnpl_features.errors import PublicationRefused
from bnpl_features.store.publishing.lease import publisher_lease
from tests.bnpl_features.store.shop import Shop


def test_a_second_holder_is_refused_with_the_firsts_name(any_shop: Shop) -> None:
    client, keyspace = any_shop.client, any_shop.keyspace

    with (
        publisher_lease(client, keyspace, "run abc"),
        pytest.raises(PublicationRefused, match=r"another publication is under way \(run abc\)"),
        publisher_lease(client, keyspace, "run def", wait_seconds=0.1),
    ):
        pytest.fail("two hold the lease")


def test_the_lease_is_given_back(any_shop: Shop) -> None:
    client, keyspace = any_shop.client, any_shop.keyspace
    with publisher_lease(client, keyspace, "first"):
        pass

    with publisher_lease(client, keyspace, "second", wait_seconds=0) as lease:
        lease.require()


def test_the_lease_is_given_back_after_a_failure(shop: Shop) -> None:
    with pytest.raises(ZeroDivisionError), publisher_lease(shop.client, shop.keyspace, "first"):
        1 / 0  # noqa: B018

    assert not shop.client.exists(shop.keyspace.lease)


def test_a_living_holder_renews(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnpl_features.store.publishing.lease.LEASE_SECONDS", 0.6)

    with publisher_lease(any_shop.client, any_shop.keyspace, "first") as lease:
        time.sleep(1.0)
        lease.require()
        assert any_shop.client.exists(any_shop.keyspace.lease)


def test_a_lost_lease_is_noticed_and_anothers_is_not_given_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnpl_features.store.publishing.lease.LEASE_SECONDS", 0.3)

    with publisher_lease(shop.client, shop.keyspace, "first") as lease:
        shop.client.set(shop.keyspace.lease, "another's")
        time.sleep(0.3)
        with pytest.raises(PublicationRefused, match="lease was lost"):
            lease.require()

    assert shop.client.get(shop.keyspace.lease) == b"another's"
