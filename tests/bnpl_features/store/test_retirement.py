"""The end of versions: by hand, past retention, left behind; never the active one, never one that is still read."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from bnpl_features.errors import VersionMissing
from bnpl_features.store.retirement import Retention, retire, sweep
from bnpl_features.store.switching import roll_back
from bnpl_features.store.versions import State, audit_trail, list_versions, manifest_of, mark
from tests.bnpl_features.store.shop import BY, DAY, Shop, verified


def test_retention_keeps_the_version_active_last_not_one_rolled_back_from(shop: Shop) -> None:
    shop.publish()
    shop.publish()
    roll_back(shop.client, shop.keyspace, **BY)
    time.sleep(0.01)
    shop.publish()

    removed = sweep(shop.client, shop.keyspace, retention=Retention(1), grace_seconds=0)

    assert removed == [2]
    assert {version.number: version.state for version in list_versions(shop.client, shop.keyspace)} == {
        3: State.ACTIVE,
        1: State.RETAINED,
    }


def test_the_active_version_is_never_retired(any_shop: Shop) -> None:
    any_shop.publish()

    with pytest.raises(VersionMissing, match="version 1 is the active one and is never retired"):
        retire(any_shop.client, any_shop.keyspace, 1, grace_seconds=0, **BY)

    assert len(any_shop.bucket_keys(1)) > 0


def test_a_version_in_its_grace_is_not_retired(any_shop: Shop) -> None:
    any_shop.publish()
    any_shop.publish()

    with pytest.raises(VersionMissing, match=r"version 1 was active [01] s ago.*retire it after 60 s"):
        retire(any_shop.client, any_shop.keyspace, 1, **BY)

    assert len(any_shop.bucket_keys(1)) > 0


def test_retiring_removes_every_bucket_and_keeps_the_manifest_for_the_auditor(any_shop: Shop) -> None:
    any_shop.publish(customers=2_000)
    any_shop.publish()

    retire(any_shop.client, any_shop.keyspace, 1, grace_seconds=0, **BY)

    assert any_shop.bucket_keys(1) == []
    assert [version.number for version in list_versions(any_shop.client, any_shop.keyspace)] == [2]
    assert manifest_of(any_shop.client, any_shop.keyspace, 1).customers == 2_000
    assert any_shop.client.ttl(any_shop.keyspace.manifest(1)) > 80 * 86_400
    assert audit_trail(any_shop.client, any_shop.keyspace)[0].act == "retire"


def test_sweeping_removes_what_is_past_retention_and_grace(shop: Shop) -> None:
    for day in range(4):
        shop.publish(day=DAY + timedelta(days=day), retention=Retention(3))

    removed = sweep(shop.client, shop.keyspace, retention=Retention(1), grace_seconds=0)

    assert removed == [2, 1]
    assert [version.number for version in list_versions(shop.client, shop.keyspace)] == [4, 3]


def test_sweeping_leaves_what_is_in_its_grace(shop: Shop) -> None:
    for _ in range(3):
        shop.publish()

    assert sweep(shop.client, shop.keyspace, retention=Retention(1)) == []
    assert [version.number for version in list_versions(shop.client, shop.keyspace)] == [3, 2, 1]


@pytest.mark.parametrize("state", [State.STAGING, State.VERIFIED, State.FAILED, State.RETIRING])
def test_sweeping_removes_what_the_dead_left_behind(shop: Shop, state: State) -> None:
    version = verified(shop)
    mark(shop.client, shop.keyspace, version, state)
    shop.client.hset(shop.keyspace.bucket(version, 0), "field", "record")

    removed = sweep(shop.client, shop.keyspace)

    assert removed == [version]
    assert shop.bucket_keys(version) == []
    assert audit_trail(shop.client, shop.keyspace)[0].reason == f"left behind while {state}"
