"""What versions there are, in which state, and under which number."""

from __future__ import annotations

import pytest

from bnpl_features.errors import VersionMissing
from bnpl_features.store.retirement import fail, retire
from bnpl_features.store.switching import activate, roll_back
from bnpl_features.store.versions import State, allocate, list_versions, manifest_of, mark
from tests.bnpl_features.store.shop import BY, Shop, verified


def test_a_version_that_does_not_exist_is_told(shop: Shop) -> None:
    with pytest.raises(VersionMissing, match="there is no version 4; `bnpl-features versions`"):
        retire(shop.client, shop.keyspace, 4, **BY)
    with pytest.raises(VersionMissing, match="version 4 has no manifest"):
        manifest_of(shop.client, shop.keyspace, 4)


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


def test_numbers_go_up_by_one_and_are_marked_as_staging(any_shop: Shop) -> None:
    client, keyspace = any_shop.client, any_shop.keyspace

    numbers = [allocate(client, keyspace, buckets=3, key_check="check") for _ in range(3)]

    assert numbers == [1, 2, 3]
    assert {version.state for version in list_versions(client, keyspace)} == {State.STAGING}
    assert client.hmget(keyspace.states, ["3:buckets", "3:key"]) == [b"3", b"check"]


def test_a_number_in_use_is_not_given_out_although_the_counter_was_lost(any_shop: Shop) -> None:
    any_shop.publish(mark=1)
    any_shop.publish(mark=2)
    any_shop.client.delete(any_shop.keyspace.counter)

    publication = any_shop.publish(mark=3)

    assert publication.manifest.version == 3
    with any_shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 3
    assert allocate(any_shop.client, any_shop.keyspace, buckets=1, key_check="") == 4


@pytest.mark.parametrize("lost", [["counter", "versions"], ["counter", "active"]])
def test_either_the_pointer_or_the_versions_is_enough_to_know_the_numbers_in_use(shop: Shop, lost: list[str]) -> None:
    for _ in range(12):
        allocate(shop.client, shop.keyspace, buckets=1, key_check="")
    mark(shop.client, shop.keyspace, 12, State.VERIFIED)
    activate(shop.client, shop.keyspace, 12, expected=None, **BY)
    shop.client.delete(*(getattr(shop.keyspace, name) for name in lost))

    assert allocate(shop.client, shop.keyspace, buckets=1, key_check="") == 13


def test_a_counter_that_went_back_behind_the_active_version_is_brought_forward_by_the_switch(shop: Shop) -> None:
    version = verified(shop)
    shop.client.set(shop.keyspace.counter, 0)

    activate(shop.client, shop.keyspace, version, expected=None, **BY)

    assert int(shop.client.get(shop.keyspace.counter)) == version
