"""Which server holds a bucket: what is known of the store's topology, and how it is found out."""

from __future__ import annotations

import binascii
import ipaddress
import socket
from array import array
from collections.abc import Iterable
from typing import NamedTuple

import redis
from redis.sentinel import SentinelConnectionPool

from bnpl_features.store.address import Address, Topology
from bnpl_features.store.connection import StoreClient

SLOTS = 16_384
_UNCOVERED = 0xFFFF


class Server(NamedTuple):
    """A server and the address its name had when last looked up: a lookup must not wait for a name service."""

    host: str
    port: int
    ip: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


class Shard(NamedTuple):
    """A primary and its replicas: each holds the same buckets."""

    primary: Server
    replicas: tuple[Server, ...] = ()


class Routes(NamedTuple):
    """The shards; on a cluster also the shard of each slot."""

    shards: tuple[Shard, ...]
    by_slot: array[int] | None = None

    def shard_of(self, bucket_key: bytes) -> Shard | None:
        """None where no server of the cluster covers the bucket."""
        if self.by_slot is None:
            return self.shards[0]
        number = self.by_slot[slot_of(bucket_key)]
        return None if number == _UNCOVERED else self.shards[number]


def slot_of(bucket_key: bytes) -> int:
    """The cluster's slot of a key without braces."""
    return binascii.crc_hqx(bucket_key, 0) % SLOTS


def discover(client: StoreClient, address: Address) -> Routes:
    """Ask the store for its topology; raises redis-py's errors."""
    if isinstance(client, redis.RedisCluster):
        client.nodes_manager.initialize()
        return _of_cluster(client.nodes_manager.slots_cache)
    pool = client.connection_pool
    if address.topology is Topology.SENTINEL and isinstance(pool, SentinelConnectionPool):
        primary = pool.sentinel_manager.discover_master(address.service)
        replicas = pool.sentinel_manager.discover_slaves(address.service)
        return Routes((Shard(resolved(*primary), tuple(resolved(*replica) for replica in replicas)),))
    return Routes((Shard(resolved(*address.nodes[0])),))


def resolved(host: str | bytes, port: int) -> Server:
    """Raises redis-py's ConnectionError where the name has no address."""
    name = host.decode() if isinstance(host, bytes) else host
    if not port:
        return Server(name, 0, name)
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise redis.ConnectionError(f"{name} has no address: {error}") from error
    return Server(name, int(port), str(found[0][4][0]))


def redirected(text: str, asked: Server, routes: Routes) -> Server | None:
    """The server that a refusal such as `MOVED 3999 10.0.0.7:6379` points to; without a host it is the one asked.

    None where that is not known without asking a name service, which a lookup must not wait for.
    """
    host, colon, digits = text.rpartition(" ")[2].rpartition(":")
    if not (colon and digits.isascii() and digits.isdecimal() and 0 < int(digits[:6]) < 65_536):
        return None
    port = int(digits)
    if not host:
        return Server(asked.host, port, asked.ip)
    for server in (server for shard in routes.shards for server in (shard.primary, *shard.replicas)):
        if (server.host, server.port) == (host, port):
            return server
    try:
        return Server(host, port, str(ipaddress.ip_address(host)))
    except ValueError:
        return None


def _of_cluster(slots: dict[int, list[redis.cluster.ClusterNode]]) -> Routes:
    numbers: dict[tuple[str, ...], int] = {}
    shards: list[Shard] = []
    by_slot = array("H", [_UNCOVERED]) * SLOTS
    for slot, nodes in slots.items():
        names = tuple(node.name for node in nodes)
        if names not in numbers:
            numbers[names] = len(shards)
            shards.append(_shard(nodes))
        by_slot[slot] = numbers[names]
    return Routes(tuple(shards), by_slot)


def _shard(nodes: Iterable[redis.cluster.ClusterNode]) -> Shard:
    primary, *replicas = (resolved(node.host, node.port) for node in nodes)
    return Shard(primary, tuple(replicas))
