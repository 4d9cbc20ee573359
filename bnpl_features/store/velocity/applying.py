"""Events -> the customers' velocity state in the store: one atomic server-side step a bucket."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

from bnpl_features.features.velocity import KEPT, LATENESS_SECONDS, MOST_DISTINCT, MOST_RECENT_EVENTS, RINGS
from bnpl_features.store.buckets import KEYS_PER_EXCHANGE, by_server
from bnpl_features.store.connection import StoreClient, borrowed_connection
from bnpl_features.store.failover import await_replicas
from bnpl_features.store.keyspace import CustomerKey, Keyspace, field_of
from bnpl_features.store.velocity.state import FAILED_CENTS
from bnpl_features.store.wire import command

EVENT_BYTES = 21
LARGEST_CENTS = FAILED_CENTS - 1
LOOKED_AT = 4
"""Customers of a bucket that each step looks at, to remove those that are idle: more than it can add."""


class Outcome(StrEnum):
    """What became of an event, as the step answers it."""

    APPLIED = "a"
    DUPLICATE = "d"
    LATE = "l"
    ERASED = "e"


class Packed(NamedTuple):
    """An event as the step takes it: the customer's digest, and EVENT_BYTES."""

    digest: bytes
    event: bytes


@dataclass(frozen=True)
class Packer:
    """Packs events; what identifies a purchase, a device and a category is hashed with the customer key."""

    key: CustomerKey

    def packed(
        self, customer_id: str, event_id: str, at_ms: int, cents: int | None, device_id: str, category: str
    ) -> Packed:
        """`cents` is None for an attempt that failed."""
        secret = self.key.secret
        event = b"".join(
            (
                at_ms.to_bytes(6, "little"),
                _digest(event_id, 4, secret, b"bnpl-event"),
                (FAILED_CENTS if cents is None else cents).to_bytes(4, "little"),
                _digest(device_id, 4, secret, b"bnpl-device"),
                _category(category, secret),
            )
        )
        return Packed(self.key.digest(customer_id), event)


def apply(
    client: StoreClient, keyspace: Keyspace, events: Sequence[Packed], now_ms: int, looked_at: int = LOOKED_AT
) -> list[Outcome]:
    """Bring events into their customers' state; what became of each, in order. Doing it again changes nothing.

    When it returns, the replicas have it as well. Raises redis-py's errors, having applied some of the events or none.
    """
    positions: dict[bytes, dict[bytes, list[int]]] = {}
    for number, (digest, _) in enumerate(events):
        positions.setdefault(keyspace.velocity(digest), {}).setdefault(field_of(digest), []).append(number)
    steps = {
        bucket: [
            word for field, numbers in fields.items() for word in (field, b"".join([events[n].event for n in numbers]))
        ]
        for bucket, fields in positions.items()
    }
    outcomes: list[Outcome] = [Outcome.APPLIED] * len(events)
    for bucket, letters in _run(client, ("events", now_ms, 0, 0, looked_at), steps).items():
        numbers = [number for numbers in positions[bucket].values() for number in numbers]
        for number, letter in zip(numbers, letters.decode(), strict=True):
            if letter != "a":
                outcomes[number] = Outcome(letter)
    return outcomes


def fill(
    client: StoreClient,
    keyspace: Keyspace,
    customers: Mapping[bytes, bytes],
    begin_ms: int,
    whole_until_ms: int,
    now_ms: int,
) -> Counter[Outcome]:
    """Complete states from a record of all that happened between two moments: digest -> packed events, by time.

    A state that a worker began meanwhile keeps the events that it has one by one; what it has summed up is made anew
    where the record reaches that far, and otherwise gets what was before it began. Doing it again changes nothing.
    """
    steps: dict[bytes, list[bytes]] = {}
    for digest, packed in customers.items():
        steps.setdefault(keyspace.velocity(digest), []).extend((field_of(digest), packed))
    counts: Counter[Outcome] = Counter()
    for letters in _run(client, ("fill", now_ms, begin_ms, whole_until_ms, 0), steps).values():
        counts.update(Outcome(letter) for letter in letters.decode())
    return counts


def forget(client: StoreClient, keyspace: Keyspace, digests: Iterable[bytes], now_ms: int) -> None:
    """Remove customers' states, and refuse events of theirs from now on."""
    _mark(client, keyspace, "erase", digests, now_ms)


def remember(client: StoreClient, keyspace: Keyspace, digests: Iterable[bytes], now_ms: int) -> None:
    """Take customers' events again."""
    _mark(client, keyspace, "readmit", digests, now_ms)


def _mark(client: StoreClient, keyspace: Keyspace, mode: str, digests: Iterable[bytes], now_ms: int) -> None:
    steps: dict[bytes, list[bytes]] = {}
    for digest in digests:
        steps.setdefault(keyspace.velocity(digest), []).extend((field_of(digest), b""))
    _run(client, (mode, now_ms, 0, 0, 0), steps)


def _run(client: StoreClient, given: tuple[str | int, ...], steps: Mapping[bytes, list[bytes]]) -> dict[bytes, bytes]:
    """Bucket -> the step's answer; `given` are the step's first arguments.

    Each server is told the script first: it may be new, or have restarted.
    """
    script = _script()
    sha = hashlib.sha1(script).hexdigest().encode()
    arguments = tuple(str(one).encode() for one in given)
    buckets = list(steps)
    answers: dict[bytes, bytes] = {}
    for server, chosen in by_server(client, buckets):
        with borrowed_connection(server) as connection:
            for start in range(0, len(chosen), KEYS_PER_EXCHANGE):
                keys = [buckets[number] for number in chosen[start : start + KEYS_PER_EXCHANGE]]
                words = [command(b"SCRIPT", b"LOAD", script)] if not start else []
                words += [command(b"EVALSHA", sha, b"1", key, *arguments, *steps[key]) for key in keys]
                connection.send_packed_command([b"".join(words)])
                if not start:
                    connection.read_response()
                for key in keys:
                    answers[key] = connection.read_response(disable_decoding=True)
            await_replicas(client, connection)
    return answers


@lru_cache(maxsize=1)
def _script() -> bytes:
    """The script with what the declaration says in front."""
    rings = ", ".join(f"{{{ring.slot_seconds * 1000}, {ring.slots}}}" for ring in RINGS)
    declared = {
        "lateness_ms": LATENESS_SECONDS * 1000,
        "most_recent": MOST_RECENT_EVENTS,
        "most_distinct": MOST_DISTINCT,
        "kept_ms": KEPT.span_seconds * 1000,
        "failed_cents": FAILED_CENTS,
        "rings": f"{{{rings}}}",
    }
    lines = "".join(f"local {name} = {value}\n" for name, value in declared.items())
    return (lines + resources.files("bnpl_features.store").joinpath("scripts/velocity.lua").read_text()).encode()


def _digest(text: str, size: int, secret: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=size, key=secret, person=purpose).digest()


@lru_cache(maxsize=4096)
def _category(name: str, secret: bytes) -> bytes:
    """There are few categories."""
    return _digest(name, 3, secret, b"bnpl-category")
