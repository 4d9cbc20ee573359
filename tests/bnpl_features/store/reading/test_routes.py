"""Which server holds a bucket, as the server's own rules have it."""

from __future__ import annotations

from array import array

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from bnpl_features.store.address import parse_address
from bnpl_features.store.connection import client_of
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.reading.routes import SLOTS, Routes, Server, Shard, discover, redirected, resolved, slot_of
from tests.bnpl_features.store.shop import Shop

ONE, OTHER = (Shard(Server("h", port, "127.0.0.1")) for port in (1, 2))
WITHOUT_BRACES = st.binary(max_size=60).filter(lambda key: b"{" not in key)


@given(WITHOUT_BRACES)
def test_a_keys_slot_is_the_one_that_the_cluster_computes(key: bytes) -> None:
    assert slot_of(key) == key_slot(key)
    assert 0 <= slot_of(key) < SLOTS


@given(
    st.text(st.characters(exclude_characters="{}: \r\n", codec="utf-8"), min_size=1, max_size=20),
    st.integers(1, 10**6),
    st.integers(0, 10**7),
)
def test_a_buckets_slot_is_the_one_that_the_cluster_computes(namespace: str, version: int, bucket: int) -> None:
    key = Keyspace(namespace).bucket(version, bucket)

    assert slot_of(key) == key_slot(key)


def test_one_server_holds_every_bucket() -> None:
    assert Routes((ONE,)).shard_of(b"bnpl:b:1:0") == ONE


def test_a_cluster_is_asked_by_slot_and_a_slot_without_a_server_is_told() -> None:
    by_slot = array("H", [0xFFFF]) * SLOTS
    by_slot[slot_of(b"a")], by_slot[slot_of(b"b")] = 0, 1
    routes = Routes((ONE, OTHER), by_slot)

    assert [routes.shard_of(key) for key in (b"a", b"b", b"c")] == [ONE, OTHER, None]


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("MOVED 3999 10.0.0.7:6379", Server("10.0.0.7", 6379, "10.0.0.7")),
        ("ASK 3999 10.0.0.7:7000", Server("10.0.0.7", 7000, "10.0.0.7")),
        ("MOVED 3999 :6380", Server("asked", 6380, "10.0.0.1")),
        ("MOVED 3999 2001:db8::7:6379", Server("2001:db8::7", 6379, "2001:db8::7")),
        ("MOVED 3999 h:2", OTHER.primary),
        ("MOVED 3999 h:3", None),
        ("MOVED 3999 elsewhere.example:6379", None),
        ("MOVED 3999 10.0.0.7:65536", None),
        ("MOVED 3999 10.0.0.7:0", None),
        ("MOVED 3999 10.0.0.7:-1", None),
        ("MOVED 3999 10.0.0.7:" + "9" * 5_000, None),
        ("MOVED", None),
        ("MOVED 3999", None),
        ("", None),
    ],
)
def test_a_redirection_names_a_server_that_is_known_without_a_name_service(text: str, server: Server | None) -> None:
    asked = Server("asked", 6379, "10.0.0.1")

    assert redirected(text, asked, Routes((ONE, OTHER))) == server


def test_one_server_is_found_with_its_address(shop: Shop) -> None:
    address = parse_address(shop.url)

    routes = discover(client_of(address, 1.0), address)

    assert routes.by_slot is None
    [shard] = routes.shards
    assert (shard.primary.port, shard.replicas) == (address.nodes[0].port, ())


def test_a_socket_needs_no_address() -> None:
    assert resolved("/tmp/redis.sock", 0) == Server("/tmp/redis.sock", 0, "/tmp/redis.sock")
    assert str(resolved("/tmp/redis.sock", 0)) == "/tmp/redis.sock"


def test_a_name_without_an_address_is_an_error_of_the_connection() -> None:
    with pytest.raises(redis.ConnectionError, match=r"nowhere\.invalid has no address"):
        resolved("nowhere.invalid", 6379)
