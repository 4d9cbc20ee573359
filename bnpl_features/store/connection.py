"""Connections to the online store, and what the server's refusals mean in this project's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import Connection
from redis.credentials import CredentialProvider
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from bnpl_features.errors import BnplFeaturesError, StoreFull, StoreMisconfigured, StoreUnavailable
from bnpl_features.store.address import Address, Login, Topology, parse_address, without_password

PUBLISHER_TIMEOUT_SECONDS = 30.0

_OF_THE_LIBRARY = (
    ("driver_info",) if "driver_info" in signature(redis.Redis).parameters else ("lib_name", "lib_version")
)
"""With what redis-py introduces itself: a command that only newer servers know, and that no user of ours may send."""

StoreClient = redis.Redis | redis.RedisCluster
"""What carries out administration and publication, whatever the topology; readers' lookups do without it."""


def connect(url: str, *, timeout_seconds: float = PUBLISHER_TIMEOUT_SECONDS) -> StoreClient:
    """A client of the store at `url`, answering bytes; raises `StoreUnavailable` where nothing usable answers."""
    address = parse_address(url)
    try:
        client = client_of(address, timeout_seconds)
        client.ping()
    except (redis.RedisError, OSError) as error:
        raise _named(error, str(address)) from error
    return client


def client_of(address: Address, timeout_seconds: float) -> StoreClient:
    """A client that has not connected yet, but for a cluster's, which needs to know the slots.

    Raises `StoreUnavailable` where a certificate file cannot be read.
    """
    if address.encryption:
        address.encryption.context()
    options: dict[str, Any] = address.client_options() | {
        "protocol": 2,
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": min(timeout_seconds, 5.0),
    }
    of_sentinel = options | _introduction(address.sentinel_login)
    options |= _introduction(address.login)
    if address.login.token_url:
        options |= {"username": None, "credential_provider": _TokenLogin(address.login)}
    if address.topology is Topology.CLUSTER:
        nodes = [ClusterNode(*node) for node in address.nodes]
        return redis.RedisCluster(startup_nodes=nodes, **options)
    options |= {"db": address.database, "retry": Retry(NoBackoff(), 0)}
    if address.topology is Topology.SENTINEL:
        of_sentinel |= {
            "retry": Retry(NoBackoff(), 0),
            "username": address.sentinel_login.username or None,
            "password": address.sentinel_login.password or None,
        }
        sentinels = Sentinel(list(address.nodes), sentinel_kwargs=of_sentinel)
        primary: redis.Redis = sentinels.master_for(address.service, **options)
        return primary
    node = address.nodes[0]
    if not node.port:
        options.pop("socket_connect_timeout")
        return redis.Redis(unix_socket_path=node.host, **options)
    return redis.Redis(host=node.host, port=node.port, **options)


def _introduction(login: Login) -> dict[str, None]:
    """None beside a login. Without one it stays: over TLS redis-py trusts a connection only after some exchange."""
    return dict.fromkeys(_OF_THE_LIBRARY) if login.password or login.token_url else {}


class _TokenLogin(CredentialProvider):
    """A login whose password is asked for at each connection."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        secret = self._login.secret()
        return (self._login.username, secret) if self._login.username else (secret,)


def primaries_of(client: StoreClient) -> list[redis.Redis]:
    """A client for each server that takes writes."""
    if isinstance(client, redis.RedisCluster):
        return [client.get_redis_connection(node) for node in client.get_primaries()]
    return [client]


@contextmanager
def named_errors(url: str) -> Iterator[None]:
    """Turns what redis-py raises inside the block into the errors of `bnpl_features.errors`.

    Only that: a full disk or a bad value inside the block is not the store's fault.
    """
    try:
        yield
    except redis.RedisError as error:
        raise _named(error, without_password(url)) from error


@contextmanager
def borrowed_connection(client: redis.Redis) -> Iterator[Connection]:
    """A connection for raw commands; closed on failure, because replies may still be on their way."""
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        yield connection
    except BaseException:
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


def text(value: object) -> str:
    """A reply as text: the client answers bytes, but its types allow for both."""
    return value.decode() if isinstance(value, bytes) else str(value)


def url_of(client: StoreClient) -> str:
    """The address that a client speaks to, for messages."""
    if isinstance(client, redis.RedisCluster):
        return "redis+cluster://" + ",".join(sorted(node.name for node in client.get_primaries()))
    pool = client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        return f"redis+sentinel://{pool.service_name}"
    given = pool.connection_kwargs
    return given.get("path") or f"redis://{given.get('host', 'localhost')}:{given.get('port', 6379)}"


def _named(error: Exception, where: str) -> BnplFeaturesError:
    text = str(error)
    if isinstance(error, OutOfMemoryError) or "OOM" in text:
        return StoreFull(
            f"the store at {where} reached maxmemory in the middle of a write; what was staged expires by itself: "
            "retire a version (`bnpl-features retire`), or raise maxmemory, and publish again"
        )
    if isinstance(error, ReadOnlyError):
        return StoreUnavailable(f"the store at {where} is a read-only replica; point REDIS_URL at the primary")
    if isinstance(error, redis.AuthenticationError) or text.startswith(("NOAUTH", "WRONGPASS")):
        return StoreUnavailable(f"the store at {where} refuses the login: {text}; correct the password in REDIS_URL")
    if isinstance(error, NoPermissionError):
        return StoreUnavailable(f"the store at {where} forbids a command: {text}; grant it to this ACL user")
    if isinstance(error, redis.BusyLoadingError):
        return StoreUnavailable(f"the store at {where} is still loading its data; try again in a moment")
    if isinstance(error, redis.InvalidResponse) or "Protocol Error" in text:
        return StoreUnavailable(f"what answers at {where} is not a Redis server: {text}; correct REDIS_URL")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return StoreUnavailable(
            f"the certificate of the store at {where} is not trusted: {text}; name the authority's file with "
            "?ssl_ca_certs=... in REDIS_URL, or correct the host's name"
        )
    if isinstance(error, MasterNotFoundError):
        return StoreUnavailable(
            f"the Sentinels at {where} name no primary: {text}; see whether they run, and correct the service in "
            "REDIS_URL"
        )
    if isinstance(error, (redis.exceptions.ClusterDownError, redis.exceptions.SlotNotCoveredError)):
        return StoreUnavailable(f"the cluster at {where} is down or lacks slots: {text}; see CLUSTER INFO on its nodes")
    if isinstance(error, redis.TimeoutError):
        return StoreUnavailable(f"the store at {where} did not answer in time; see whether it is overloaded or hung")
    if isinstance(error, (redis.ConnectionError, redis.exceptions.RedisClusterException, OSError)):
        return StoreUnavailable(f"cannot reach the store at {where}: {text}; start it, or correct REDIS_URL")
    return StoreMisconfigured(f"the store at {where} refuses a command that is needed: {text}")
