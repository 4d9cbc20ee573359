"""Connections to the online store, and what the server's refusals mean in this project's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError
from redis.retry import Retry

from bnpl_features.errors import BnplFeaturesError, StoreFull, StoreMisconfigured, StoreUnavailable

PUBLISHER_TIMEOUT_SECONDS = 30.0


def connect(url: str, *, timeout_seconds: float = PUBLISHER_TIMEOUT_SECONDS) -> redis.Redis:
    """A client of the server at `url`, answering bytes; raises `StoreUnavailable` where nothing usable answers."""
    try:
        client: redis.Redis = redis.Redis.from_url(
            url,
            protocol=2,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=min(timeout_seconds, 5.0),
            retry=Retry(NoBackoff(), 0),
        )
        client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise _named(error, without_password(url)) from error
    return client


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


def url_of(client: redis.Redis) -> str:
    """The address that a client speaks to, for messages."""
    given = client.connection_pool.connection_kwargs
    return given.get("path") or f"redis://{given.get('host', 'localhost')}:{given.get('port', 6379)}"


def without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is not a URL"
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{parts.netloc.rpartition('@')[2]}"))


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
    if isinstance(error, redis.TimeoutError):
        return StoreUnavailable(f"the store at {where} did not answer in time; see whether it is overloaded or hung")
    if isinstance(error, (redis.ConnectionError, OSError)):
        return StoreUnavailable(f"cannot reach the store at {where}: {text}; start it, or correct REDIS_URL")
    if isinstance(error, ValueError):
        return StoreUnavailable(f"{where!r} is not the address of a store: {text}; use redis://host:port/0")
    return StoreMisconfigured(f"the store at {where} refuses a command that is needed: {text}")
