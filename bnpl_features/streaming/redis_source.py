"""Redis Streams as the broker: a consumer group for workers, and the producer's side with its back-pressure."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import redis

from bnpl_features.errors import StreamFull, StreamUnavailable
from bnpl_features.store.connection import StoreClient
from bnpl_features.streaming.source import Lag, Message

FIELD = "event"
CLAIM_SECONDS = 10.0
"""After which what another worker took and did not acknowledge is taken over: it is dead, or hangs."""

MOST_WAITING = 100_000
"""Events that may wait before producers are refused: about half a minute's work of one worker at full speed."""

KEPT_HOURS = 31.0
"""How long events stay for a replay: longer than velocity is remembered."""

_PAGE = 1_000


class RedisSource:
    """One worker's part of a consumer group; not to be shared between threads."""

    def __init__(self, client: StoreClient, stream: str, group: str, claim_seconds: float = CLAIM_SECONDS) -> None:
        self._client: Any = client
        self._stream = stream
        self._group = group
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._claim_seconds = claim_seconds
        self._claimed_at = 0.0
        with self._named():
            self._begin()

    @property
    def name(self) -> str:
        return f"redis stream {self._stream}, group {self._group}"

    def poll(self, most: int, wait_seconds: float) -> Sequence[Message]:
        with self._named():
            now = time.monotonic()
            if now - self._claimed_at > self._claim_seconds / 2:
                self._claimed_at = now
                taken_over = self._claim(most)
                if taken_over:
                    return taken_over
            wait_ms = max(1, int(min(wait_seconds, self._claim_seconds / 2) * 1000))
            try:
                found = self._client.xreadgroup(
                    self._group, self._consumer, {self._stream: ">"}, count=most, block=wait_ms
                )
            except redis.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                self._begin()  # the server lost its data
                return ()
        return [_message(id_, fields) for _, entries in found or () for id_, fields in entries]

    def acknowledge(self, messages: Sequence[Message]) -> None:
        if messages:
            with self._named():
                self._client.xack(self._stream, self._group, *[message.id for message in messages])

    def lag(self) -> Lag:
        with self._named():
            for group in self._client.xinfo_groups(self._stream):
                if group["name"] == self._group.encode():
                    return self._lag_of(group)
        return Lag(0, 0.0)

    def log(self, since_ms: int) -> Iterator[bytes]:
        start = str(since_ms)
        while True:
            with self._named():
                entries = self._client.xrange(self._stream, min=start, count=_PAGE)
            for _, fields in entries:
                yield fields.get(FIELD.encode(), b"")
            if len(entries) < _PAGE:
                return
            start = f"({entries[-1][0].decode()}"

    def close(self) -> None:
        """Leave the group, unless something is not acknowledged: then another worker takes it over."""
        with suppress(redis.RedisError, OSError):
            if not self._client.xpending_range(self._stream, self._group, "-", "+", 1, self._consumer):
                self._client.xgroup_delconsumer(self._stream, self._group, self._consumer)

    def _begin(self) -> None:
        """Have a group that begins with the oldest event that there is."""
        try:
            self._client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _claim(self, most: int) -> list[Message]:
        idle_ms = int(self._claim_seconds * 1000)
        _, entries, _ = self._client.xautoclaim(self._stream, self._group, self._consumer, idle_ms, count=most)
        if not entries:
            return []
        pending = self._client.xpending_range(self._stream, self._group, "-", "+", len(entries), self._consumer)
        deliveries = {one["message_id"]: one["times_delivered"] for one in pending}
        return [_message(id_, fields, deliveries.get(id_, 1)) for id_, fields in entries]

    def _lag_of(self, group: dict[str, Any]) -> Lag:
        pending = self._client.xpending(self._stream, self._group)
        after = group["last-delivered-id"].decode()
        undelivered = self._client.xrange(self._stream, min=f"({after}", count=1)
        oldest = [id_ for id_ in (pending["min"], undelivered[0][0] if undelivered else None) if id_]
        waiting = group.get("lag")
        if waiting is None:  # entries were deleted: the server lost count
            waiting = len(self._client.xrange(self._stream, min=f"({after}", count=MOST_WAITING)) if undelivered else 0
        age = max((time.time() - int(id_.partition(b"-")[0]) / 1000 for id_ in oldest), default=0.0)
        return Lag(waiting + pending["pending"], max(age, 0.0))

    def _named(self) -> Any:
        return named_broker_errors(self.name)


class RedisProducer:
    """Appends events to the stream; forgets those that are older than `kept_hours`."""

    def __init__(
        self,
        client: StoreClient,
        stream: str,
        group: str,
        most_waiting: int = MOST_WAITING,
        kept_hours: float = KEPT_HOURS,
    ) -> None:
        self._client: Any = client
        self._stream = stream
        self._group = group
        self._most_waiting = most_waiting
        self._kept_ms = int(kept_hours * 3_600_000)

    def append(self, payloads: Sequence[bytes]) -> None:
        """All of them; raises `StreamFull`, having appended none, where the workers are too far behind."""
        with named_broker_errors(f"redis stream {self._stream}"):
            waiting = self._waiting()
            if waiting + len(payloads) > self._most_waiting:
                raise StreamFull(
                    f"{waiting} events are waiting, and {self._most_waiting} may; send later, or add workers "
                    "(`bnpl-features stream work`), or raise streaming.most_waiting"
                )
            oldest = int(time.time() * 1000) - self._kept_ms
            with self._client.pipeline(transaction=False) as pipeline:
                for payload in payloads:
                    pipeline.xadd(self._stream, {FIELD: payload})
                pipeline.xtrim(self._stream, minid=oldest, approximate=True)
                pipeline.execute()

    def _waiting(self) -> int:
        """Not delivered, or not acknowledged."""
        try:
            groups = self._client.xinfo_groups(self._stream)
        except redis.ResponseError:
            return 0  # no stream yet
        for group in groups:
            if group["name"] == self._group.encode():
                return int(group.get("lag") or 0) + int(group["pending"])
        return int(self._client.xlen(self._stream))


@contextmanager
def named_broker_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise StreamUnavailable(f"{name}: {error}; see whether the broker runs, and streaming.url") from error


def _message(id_: bytes, fields: dict[bytes, bytes] | None, deliveries: int = 1) -> Message:
    return Message(id_.decode(), (fields or {}).get(FIELD.encode(), b""), deliveries)
