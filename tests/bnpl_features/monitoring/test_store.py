"""What is told of the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.errors import StoreUnavailable
from bnpl_features.monitoring.store import end_of, store_families
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.target import Target
from bnpl_features.telemetry.exposition import exposition
from tests.bnpl_features.monitoring.test_telling import NAME, samples
from tests.bnpl_features.store.shop import DAY, Shop, free_port, mortal_server
from tests.fleet import cluster


def told(target: Target) -> dict[str, float]:
    return samples(exposition(store_families(target)).decode())


def test_the_active_version_its_features_end_and_the_memory_are_told(shop: Shop) -> None:
    shop.publish(100)
    shop.publish(120)

    found = told(shop.target)

    server = shop.url.removeprefix("redis://").removesuffix("/0")
    assert found[f"bnpl_active_version {NAME}"] == 2
    assert found[f"bnpl_active_customers {NAME}"] == 120
    assert found[f"bnpl_active_as_of_timestamp_seconds {NAME}"] == end_of(DAY)
    assert (found["bnpl_versions active"], found["bnpl_versions retained"], found["bnpl_versions failed"]) == (1, 1, 0)
    assert 0 < found[f"bnpl_store_memory_bytes {server}"] < found[f"bnpl_store_memory_limit_bytes {server}"]
    assert found[f"bnpl_store_memory_limit_bytes {server}"] == 64 * 2**20
    assert found[f"bnpl_store_evicted_keys_total {server}"] == 0


def test_every_server_of_a_cluster_tells_its_own_memory(tmp_path: Path) -> None:
    with cluster(tmp_path, primaries=3, replicas=0) as fleet:
        found = told(Target(connect(fleet.url), Keyspace("told"), CustomerKey()))

        servers = {key.split()[1] for key in found if key.startswith("bnpl_store_memory_bytes")}
        assert servers == {f"127.0.0.1:{member.port}" for member in fleet.members}
        assert not any(key.startswith("bnpl_store_memory_limit_bytes") for key in found)


def test_a_store_without_a_version_has_none_to_tell(shop: Shop) -> None:
    found = told(shop.target)

    assert not [key for key in found if key.startswith("bnpl_active_version")]
    assert found["bnpl_versions active"] == 0


def test_a_store_that_is_gone_is_an_error(tmp_path: Path) -> None:
    port = free_port()
    with mortal_server(tmp_path / "valkey", port):
        target = Shop(f"redis://127.0.0.1:{port}/0", "gone").target

    with pytest.raises(StoreUnavailable):
        told(target)
