"""What a publisher does about servers that fail while it writes: wait for the next primary, and for the replicas."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import redis
from redis import exceptions
from redis.connection import Connection
from redis.sentinel import SentinelConnectionPool

from bnpl_features.store.connection import StoreClient, primaries_of

TRANSIENT = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.BusyLoadingError,
    exceptions.AskError,
    exceptions.ClusterDownError,
    exceptions.ClusterError,
    exceptions.MasterDownError,
    exceptions.MovedError,
    exceptions.ReadOnlyError,
    exceptions.SlotNotCoveredError,
    exceptions.TryAgainError,
)
"""What another attempt may mend, once a replica has become primary."""

FAILOVER_SECONDS = 60.0
"""How long a publisher waits for a cluster or Sentinel to promote a replica."""

ACKNOWLEDGED_SECONDS = 10.0
"""How long it waits for replicas to have what was written."""

_LONGEST_PAUSE_SECONDS = 1.0

T = TypeVar("T")


def patience_seconds(client: StoreClient) -> float:
    """A single server is not replaced by another: there is nothing to wait for."""
    if isinstance(client, redis.RedisCluster) or isinstance(client.connection_pool, SentinelConnectionPool):
        return FAILOVER_SECONDS
    return 0.0


def persistently(client: StoreClient, attempt: Callable[[], T]) -> T:
    """The attempt's result; it is repeated while servers are replaced, so it must be safe to repeat."""
    deadline = time.monotonic() + patience_seconds(client)
    pause = 0.05
    while True:
        try:
            return attempt()
        except TRANSIENT:
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(random.uniform(pause / 2, pause))
            look_again(client)


def look_again(client: StoreClient) -> None:
    """Find out which servers are primaries now."""
    with suppress(*TRANSIENT, exceptions.RedisClusterException):
        if isinstance(client, redis.RedisCluster):
            client.nodes_manager.initialize()
        else:
            client.connection_pool.disconnect(inuse_connections=False)


def await_replicas(client: StoreClient, connection: Connection) -> int:
    """Wait until the replicas have what this connection wrote, and all before it; returns how many have it.

    A primary that has just taken over may have no replica yet: where the store has some, one is waited for, because a
    second failover would go back to before what was written.
    """
    replicas = _replicas_of(connection)
    deadline = time.monotonic() + ACKNOWLEDGED_SECONDS
    while not replicas and _should_have_replicas(client, connection) and time.monotonic() < deadline:
        time.sleep(0.05)
        replicas = _replicas_of(connection)
    if not replicas:
        return 0
    connection.send_command("WAIT", replicas, int(ACKNOWLEDGED_SECONDS * 1000))
    return int(connection.read_response())


def _replicas_of(connection: Connection) -> int:
    """Those that follow the server at this moment."""
    connection.send_command("INFO", "replication")
    lines = connection.read_response(disable_decoding=True).splitlines()
    return sum(line.startswith(b"slave") and b"state=online" in line for line in lines)


def _should_have_replicas(client: StoreClient, connection: Connection) -> bool:
    """Whether the store's topology names replicas of this server that are alive."""
    if isinstance(client, redis.RedisCluster):
        primary = (connection.host, connection.port)
        shards = client.nodes_manager.slots_cache.values()
        return any(len(nodes) > 1 for nodes in shards if (nodes[0].host, nodes[0].port) == primary)
    pool = client.connection_pool
    if not isinstance(pool, SentinelConnectionPool):
        return False
    return bool(pool.sentinel_manager.discover_slaves(pool.service_name))


def primaries_now(client: StoreClient) -> frozenset[str]:
    """The primaries' run ids: they change when another server takes over, or when one restarts."""
    look_again(client)
    return frozenset(str(server.info("server")["run_id"]) for server in primaries_of(client))
