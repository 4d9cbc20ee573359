"""The client of the online store: a customer's features in one round trip, or a typed answer why not."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType

import redis
from redis.connection import Connection

from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.reading.breaker import Breaker
from bnpl_features.store.reading.follower import Pointer
from bnpl_features.store.reading.lookup import STALE_AFTER, Answer, ServedVersion, Status

BUDGET_SECONDS = 0.005
_POINTER_TIMEOUT_SECONDS = 2.0
_LOG = logging.getLogger("bnpl_features.store")


class CustomerFeatureStore:
    """Reads customers' features from the active version.

    `get` and `get_many` answer, they never raise: whatever the server does, within `budget_seconds`. Construction
    raises `StoreUnavailable` where the store cannot be reached, and `LayoutMismatch` for another customer key.
    Threads may share one instance.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "bnpl",
        customer_key: bytes = b"",
        budget_seconds: float = BUDGET_SECONDS,
        stale_after: timedelta = STALE_AFTER,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """Answers by status, and corrupt records, since construction."""
        if not customer_key:
            _LOG.warning("no customer key is set: fine for development, set BNPL_CUSTOMER_KEY in production")
        self._url = url
        self._budget_seconds = budget_seconds
        self._idle: deque[Connection] = deque()
        self._breaker = Breaker()
        self._pointer = Pointer(
            connect(url, timeout_seconds=_POINTER_TIMEOUT_SECONDS),
            Keyspace(namespace),
            CustomerKey(customer_key),
            stale_after,
        )
        self._pool = redis.ConnectionPool.from_url(
            url, protocol=2, socket_timeout=budget_seconds, socket_connect_timeout=budget_seconds
        )

    def get(self, customer_id: str) -> Answer:
        """The customer's features, in one round trip."""
        return self.get_many((customer_id,))[0]

    def get_many(self, customer_ids: Sequence[str]) -> list[Answer]:
        """One answer a customer, in order, all from one version, in one round trip."""
        served = self._pointer.served
        if served is None:
            return self._counted([_nothing_published()] * len(customer_ids))
        if not self._breaker.allows():
            return self._all_unavailable(served, customer_ids, "the circuit is open after repeated failures")
        try:
            replies = self._exchange([served.command(customer_id) for customer_id in customer_ids])
        except (redis.RedisError, OSError) as error:
            self._breaker.failed()
            return self._all_unavailable(served, customer_ids, str(error))
        self._breaker.succeeded()
        if None in replies and not self._pointer.is_trustworthy:
            return self._all_unavailable(served, customer_ids, "the active version is not confirmed")
        now = time.time()
        return self._counted([served.answer(reply, now) for reply in replies])

    def close(self) -> None:
        self._pointer.close()
        while self._idle:
            self._idle.pop().disconnect()

    def __enter__(self) -> CustomerFeatureStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def served(self) -> ServedVersion | None:
        """The version that lookups are answered from now."""
        return self._pointer.served

    def _exchange(self, commands: list[bytes]) -> list[bytes | None]:
        """Send all, read all, within the budget; connections that the server closed while idle are passed over."""
        deadline = time.monotonic() + self._budget_seconds
        request = b"".join(commands)
        while (idle := self._idle_connection()) is not None:
            try:
                return self._ask(idle, request, len(commands), deadline)
            except redis.ConnectionError:
                continue
        return self._ask(self._new_connection(), request, len(commands), deadline)

    def _ask(self, connection: Connection, request: bytes, replies: int, deadline: float) -> list[bytes | None]:
        """The replies; a connection that failed is closed, never reused."""
        try:
            self._limit(connection, deadline)
            connection.send_packed_command([request], check_health=False)
            received: list[bytes | None] = []
            for _ in range(replies):
                self._limit(connection, deadline)
                received.append(connection.read_response(disable_decoding=True))
        except BaseException:
            connection.disconnect()
            raise
        self._idle.append(connection)
        return received

    def _limit(self, connection: Connection, deadline: float) -> None:
        """What is left of the budget becomes the socket's timeout: redis-py has a parameter for it from 8.0 on only."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise redis.TimeoutError(f"over the budget of {self._budget_seconds * 1000:g} ms")
        opened: socket.socket = connection._sock  # type: ignore[assignment]
        opened.settimeout(remaining)

    def _idle_connection(self) -> Connection | None:
        """A connection of this process: one inherited over a fork would mix up the answers of parent and child."""
        try:
            while (connection := self._idle.pop()).pid != os.getpid():
                pass
        except IndexError:
            return None
        return connection

    def _new_connection(self) -> Connection:
        """Not one of the pool's: the pool would count it, and refuse after a hundred that failed."""
        made: Connection = self._pool.connection_class(**self._pool.connection_kwargs)
        made.connect()
        return made

    def _all_unavailable(self, served: ServedVersion, customer_ids: Sequence[str], reason: str) -> list[Answer]:
        return self._counted([served.defaulted(Status.UNAVAILABLE, reason)] * len(customer_ids))

    def _counted(self, answers: list[Answer]) -> list[Answer]:
        for answer in answers:
            self.counts[answer.status] += 1
            if answer.reason.startswith("corrupt"):
                self.counts["corrupt"] += 1
        return answers


def _nothing_published() -> Answer:
    """The declared defaults: without a manifest the reader's own catalogue is what it knows."""
    features = BEHAVIOURAL.features
    names, defaults = tuple(f.name for f in features), tuple(f.default for f in features)
    return Answer(Status.UNAVAILABLE, names, defaults, None, None, "nothing was published to this namespace yet")
