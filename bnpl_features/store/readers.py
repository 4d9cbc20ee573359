"""Who reads which feature set: readers say so about once a minute, so that a set's end can be planned.

A hash of the namespace: `<set> <release> <reader>` -> when it last read, in seconds since the epoch. A reader that may
not write is not held up by that; it is only not seen.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import redis

from bnpl_features import __version__
from bnpl_features.store.connection import StoreClient, text
from bnpl_features.store.keyspace import Keyspace

ANNOUNCE_SECONDS = 60.0
FORGOTTEN_SECONDS = 7 * 86_400
"""An entry of this age is removed by whoever lists them; the hash itself expires when nobody announces for as long."""

STILL_READING_SECONDS = 86_400.0
"""Who has read within a day is taken to read on: a batch may run once a day."""


_LOG = logging.getLogger("bnpl_features.store")


@dataclass(frozen=True)
class Reader:
    """One process that reads one set; `seen_at` is seconds since the epoch, of its own clock."""

    feature_set: str
    release: str
    name: str
    seen_at: float


class Readable(Protocol):
    """A version that a process reads: `was_read` since the last look."""

    was_read: bool


class Announcer:
    """Says which sets this process has read since the last time; one that is followed only is not in use."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self._told_at: dict[str, float] = {}

    def tell(self, client: StoreClient, served: Mapping[str, Readable]) -> None:
        """At most once a minute a set; `served` is by set. A store that refuses it is no reason to read less."""
        now = time.monotonic()
        due = [
            name
            for name, version in served.items()
            if version.was_read and now - self._told_at.get(name, -ANNOUNCE_SECONDS) >= ANNOUNCE_SECONDS
        ]
        if not due:
            return
        for name in due:
            self._told_at[name] = now
            served[name].was_read = False
        try:
            announce(client, self._keyspace, due)
        except redis.ResponseError as error:  # a login that may only read, or a replica
            _LOG.debug("cannot announce what is read: %s", error)


def announce(client: StoreClient, keyspace: Keyspace, feature_sets: Iterable[str]) -> None:
    """Say that this process reads these sets now."""
    now = f"{time.time():.0f}"
    name = f"{socket.gethostname()}:{os.getpid()}".replace(" ", "_")
    with client.pipeline(transaction=False) as pipeline:
        for feature_set in feature_sets:
            pipeline.hset(keyspace.readers, f"{feature_set} {__version__} {name}", now)
        pipeline.expire(keyspace.readers, FORGOTTEN_SECONDS)
        pipeline.execute()


def readers_of(
    client: StoreClient, keyspace: Keyspace, feature_set: str | None = None, *, seconds: float = STILL_READING_SECONDS
) -> list[Reader]:
    """Who read the set, or any, within the last `seconds`; the latest first."""
    now = time.time()
    found, forgotten = [], []
    for key, seen_at in client.hgetall(keyspace.readers).items():
        of, release, name = text(key).split(" ", 2)
        reader = Reader(of, release, name, float(seen_at))
        if now - reader.seen_at > FORGOTTEN_SECONDS:
            forgotten.append(key)
        elif now - reader.seen_at <= seconds and feature_set in (None, of):
            found.append(reader)
    if forgotten:
        client.hdel(keyspace.readers, *forgotten)
    return sorted(found, key=lambda reader: -reader.seen_at)
