"""Commands to many buckets, each sent to the server that holds it, in pipelines of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis
from redis.crc import key_slot

from bnpl_features.store.connection import StoreClient, borrowed_connection
from bnpl_features.store.failover import await_replicas

KEYS_PER_EXCHANGE = 256


def by_server(client: StoreClient, keys: Sequence[bytes]) -> Iterator[tuple[redis.Redis, list[int]]]:
    """The positions of the keys that each server holds, in the order given."""
    if not isinstance(client, redis.RedisCluster):
        yield client, list(range(len(keys)))
        return
    slots = client.nodes_manager.slots_cache
    positions: dict[str, list[int]] = {}
    for position, key in enumerate(keys):
        nodes = slots.get(key_slot(key))
        if not nodes:
            raise redis.exceptions.SlotNotCoveredError(f"slot {key_slot(key)} has no server")
        positions.setdefault(nodes[0].name, []).append(position)
    for name, chosen in positions.items():
        yield server_named(client, name), chosen


def server_of(client: StoreClient, key: str) -> redis.Redis:
    """A client of the server that holds the key."""
    if not isinstance(client, redis.RedisCluster):
        return client
    node = client.get_node_from_key(key)
    if node is None:
        raise redis.exceptions.SlotNotCoveredError(f"no server holds {key}")
    return client.get_redis_connection(node)


def server_named(client: redis.RedisCluster, name: str) -> redis.Redis:
    node = client.get_node(node_name=name)
    if node is None:
        raise redis.ConnectionError(f"{name} has left the cluster")
    return client.get_redis_connection(node)


def each(
    client: StoreClient, keys: Sequence[bytes], command: Callable[[bytes], bytes], *, replicated: bool = False
) -> Iterator[tuple[bytes, Any]]:
    """Send a key's command to its server; yields (key, reply). Replies are raw bytes or numbers.

    With `replicated` it also waits until the replicas have what was written, as `failover.await_replicas` does.
    """
    for server, positions in by_server(client, keys):
        with borrowed_connection(server) as connection:
            for start in range(0, len(positions), KEYS_PER_EXCHANGE):
                chunk = [keys[position] for position in positions[start : start + KEYS_PER_EXCHANGE]]
                connection.send_packed_command([b"".join([command(key) for key in chunk])])
                for key in chunk:
                    yield key, connection.read_response(disable_decoding=True)
            if replicated and positions:
                await_replicas(client, connection)
