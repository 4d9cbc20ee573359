"""Dead letters: events that no worker could take, with the reason, in a stream of bounded length; and how a customer is
taken out of streams."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bnpl_features.store.connection import StoreClient
from bnpl_features.store.keyspace import Keyspace

MOST_LETTERS = 10_000
"""About that many are kept, the newest."""

_PAGE = 1_000


@dataclass(frozen=True)
class DeadLetter:
    """`at` is seconds since the epoch, `message` the broker's name of it."""

    id: str
    at: float
    message: str
    reason: str
    payload: bytes


def add(client: StoreClient, keyspace: Keyspace, letters: Sequence[tuple[str, str, bytes]]) -> None:
    """(message, reason, payload) of each."""
    given: Any = client
    with given.pipeline(transaction=False) as pipeline:
        for message, reason, payload in letters:
            fields = {"message": message, "reason": reason, "payload": payload}
            pipeline.xadd(keyspace.dead_letters, fields, maxlen=MOST_LETTERS, approximate=True)
        pipeline.execute()


def newest(client: StoreClient, keyspace: Keyspace, count: int = 50) -> list[DeadLetter]:
    found: Any = client.xrevrange(keyspace.dead_letters, count=count)
    return [
        DeadLetter(
            id_.decode(),
            int(id_.partition(b"-")[0]) / 1000,
            fields[b"message"].decode(),
            fields[b"reason"].decode(),
            fields[b"payload"],
        )
        for id_, fields in found
    ]


def remove(client: StoreClient, keyspace: Keyspace, letters: Sequence[DeadLetter]) -> None:
    if letters:
        client.xdel(keyspace.dead_letters, *[letter.id for letter in letters])


def remove_mentions(client: StoreClient, stream: str, customer_id: str) -> int:
    """Delete a stream's entries that carry the customer's id, as JSON writes it; returns how many there were."""
    given: Any = client
    spelled = {json.dumps(customer_id).encode(), json.dumps(customer_id, ensure_ascii=False).encode("utf-8", "replace")}
    removed, start = 0, "-"
    while True:
        entries = given.xrange(stream, min=start, count=_PAGE)
        found = [id_ for id_, fields in entries if any(s in value for s in spelled for value in fields.values())]
        if found:
            removed += int(given.xdel(stream, *found))
        if len(entries) < _PAGE:
            return removed
        start = f"({entries[-1][0].decode()}"
