"""What versions there are, in which state, and under which number."""

from __future__ import annotations

import pytest

from bnpl_features.errors import VersionMissing
from bnpl_features.store.retirement import fail, retire
from bnpl_features.store.switching import activate, roll_back
from bnpl_features.store.versions import State, list_versions, manifest_of
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
