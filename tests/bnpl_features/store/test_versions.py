"""The life of a version: what may become active, be rolled back to, or be removed."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from bnpl_features.errors import PublicationRefused, VersionMissing
from bnpl_features.store.retirement import Retention, fail, retire, sweep
from bnpl_features.store.switching import activate, roll_back
from bnpl_features.store.versions import State, active_version, allocate, audit_trail, list_versions, manifest_of, mark
from tests.bnpl_features.store.shop import DAY, Shop

BY = {"actor": "operator", "reason": "drill"}


def test_an_older_number_cannot_become_active_after_a_newer_one(any_shop: Shop) -> None:
    client, keyspace = any_shop.client, any_shop.keyspace
    older, newer = verified(any_shop), verified(any_shop)
    activate(client, keyspace, newer, expected=None, **BY)

    with pytest.raises(PublicationRefused, match=r"version 1 is older than the active version 2.*nothing was changed"):
        activate(client, keyspace, older, expected=newer, **BY)

    assert active_version(client, keyspace) == newer
    assert len(audit_trail(client, keyspace)) == 1


def test_a_pointer_that_was_moved_refuses(any_shop: Shop) -> None:
    client, keyspace = any_shop.client, any_shop.keyspace
    first, second = verified(any_shop), verified(any_shop)
    activate(client, keyspace, first, expected=None, **BY)

    with pytest.raises(PublicationRefused, match="version 1 is active, not None: another publication"):
        activate(client, keyspace, second, expected=None, **BY)

    assert active_version(client, keyspace) == first


@pytest.mark.parametrize("state", [State.STAGING, State.FAILED, State.RETIRING, State.RETAINED])
def test_only_a_verified_version_becomes_active(shop: Shop, state: State) -> None:
    version = verified(shop)
    mark(shop.client, shop.keyspace, version, state)

    with pytest.raises(PublicationRefused, match=f"version 1 is {state}, which does not allow it"):
        activate(shop.client, shop.keyspace, version, expected=None, **BY)

    assert active_version(shop.client, shop.keyspace) is None


def test_the_active_version_is_not_activated_again(shop: Shop) -> None:
    shop.publish()

    with pytest.raises(PublicationRefused, match="version 1 is active already"):
        activate(shop.client, shop.keyspace, 1, expected=1, **BY)


def test_a_rollback_serves_the_version_before_and_is_audited(any_shop: Shop) -> None:
    any_shop.publish(mark=1)
    any_shop.publish(mark=2)

    now_and_before = roll_back(any_shop.client, any_shop.keyspace, **BY)

    assert now_and_before == (1, 2)
    with any_shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 1
    newest = audit_trail(any_shop.client, any_shop.keyspace)[0]
    assert (newest.act, newest.version, newest.previous) == ("roll back", 1, "2")
    assert (newest.actor, newest.reason) == ("operator", "drill")


def test_a_rollback_can_be_undone_by_name(shop: Shop) -> None:
    shop.publish()
    shop.publish()
    roll_back(shop.client, shop.keyspace, **BY)

    roll_back(shop.client, shop.keyspace, 2, **BY)

    assert shop.active() == 2


def test_a_rollback_goes_to_the_version_active_last_not_to_one_rolled_back_from(shop: Shop) -> None:
    shop.publish(mark=1)
    shop.publish(mark=2)  # bad
    roll_back(shop.client, shop.keyspace, **BY)
    time.sleep(0.01)
    shop.publish(mark=3)  # bad as well

    roll_back(shop.client, shop.keyspace, **BY)

    assert shop.active() == 1


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


def test_a_rollback_without_anything_active_is_refused(shop: Shop) -> None:
    with pytest.raises(VersionMissing, match=r"nothing is active.*publish a version first"):
        roll_back(shop.client, shop.keyspace, **BY)


def test_a_rollback_without_anything_retained_is_refused(shop: Shop) -> None:
    shop.publish()

    with pytest.raises(VersionMissing, match="no retained version to roll back to; publish"):
        roll_back(shop.client, shop.keyspace, **BY)


def test_a_rollback_to_what_is_not_retained_is_refused_with_what_is(shop: Shop) -> None:
    shop.publish()
    shop.publish()

    with pytest.raises(VersionMissing, match=r"version 7 is not retained \(retained: 1\)"):
        roll_back(shop.client, shop.keyspace, 7, **BY)


def test_a_rollback_works_although_another_versions_manifest_is_damaged(shop: Shop) -> None:
    shop.publish()
    shop.publish()
    shop.client.set(shop.keyspace.manifest(2), "{")

    roll_back(shop.client, shop.keyspace, **BY)

    assert shop.active() == 1
    assert [version.manifest is None for version in list_versions(shop.client, shop.keyspace)] == [True, False]


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


def test_a_version_that_does_not_exist_is_told(shop: Shop) -> None:
    with pytest.raises(VersionMissing, match="there is no version 4; `bnpl-features versions`"):
        retire(shop.client, shop.keyspace, 4, **BY)
    with pytest.raises(VersionMissing, match="version 4 has no manifest"):
        manifest_of(shop.client, shop.keyspace, 4)


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


def test_a_full_store_can_still_be_emptied_and_switched(server_of_its_own: Shop) -> None:
    shop = server_of_its_own
    shop.publish()
    shop.publish(mark=2)
    abandoned, ready = verified(shop), verified(shop)
    shop.client.config_set("maxmemory", "1mb")
    assert int(shop.client.info("memory")["used_memory"]) > 2**20

    roll_back(shop.client, shop.keyspace, **BY)
    fail(shop.client, shop.keyspace, abandoned, **BY)
    retire(shop.client, shop.keyspace, 2, grace_seconds=0, **BY)
    activate(shop.client, shop.keyspace, ready, expected=1, **BY)

    states = {version.number: version.state for version in list_versions(shop.client, shop.keyspace)}
    assert states == {ready: State.ACTIVE, 1: State.RETAINED}
    assert shop.bucket_keys(2) == []


def verified(shop: Shop) -> int:
    """A version of one bucket, as after its verification."""
    version = allocate(shop.client, shop.keyspace, buckets=1, key_check="")
    mark(shop.client, shop.keyspace, version, State.VERIFIED)
    return version
