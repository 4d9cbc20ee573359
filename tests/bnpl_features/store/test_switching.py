"""The one step that changes what is served: what may become active, and what may be rolled back to."""

from __future__ import annotations

import time

import pytest

from bnpl_features.errors import PublicationRefused, VersionMissing
from bnpl_features.store.switching import activate, roll_back
from bnpl_features.store.versions import State, active_version, audit_trail, list_versions, mark
from tests.bnpl_features.store.shop import BY, Shop, verified


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
