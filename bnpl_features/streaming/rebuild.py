"""Velocity made again after a loss, from the warehouse and from what the broker still has, while serving goes on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bnpl_features.derive.velocity_query import events_query
from bnpl_features.features.purchase import COMPLETED
from bnpl_features.features.velocity import KEPT, LATENESS_SECONDS, cents
from bnpl_features.store.erasure import tombstones
from bnpl_features.store.target import Target
from bnpl_features.store.velocity.applying import Outcome, Packer, fill
from bnpl_features.streaming.event import Poison, packed, parsed
from bnpl_features.warehouse.warehouse import Warehouse

CUSTOMERS_PER_STEP = 2_000
_IDENTITY_BYTES = 10
"""Of a packed event: its time and the digest of its id."""

History = dict[bytes, list[bytes]]
"""A customer's digest -> packed events, in no order."""


@dataclass
class Rebuilt:
    """What a rebuild found and did; `events` counts by outcome."""

    from_warehouse: int = 0
    from_log: int = 0
    poison: int = 0
    customers: int = 0
    events: Counter[Outcome] = field(default_factory=Counter)


def rebuild(
    target: Target, warehouse: Warehouse, relation: str, log: Iterable[bytes], now_ms: int | None = None
) -> Rebuilt:
    """Complete the states of all customers with an event in the last KEPT hours.

    `relation` is for a FROM clause. `log` holds the payloads that came since, from the broker, and is read to its end
    first: about 80 bytes of memory an event. Workers may go on meanwhile, and doing it again changes nothing.
    """
    now_ms = now_ms or int(time.time() * 1000)
    begin_ms = now_ms - KEPT.span_seconds * 1000
    rebuilt = Rebuilt()
    packer = Packer(target.key)
    logged = _from_log(log, packer, begin_ms, now_ms, rebuilt)
    # What came after the log was read is the workers'; what was late then may be on its way.
    whole_until_ms = now_ms - LATENESS_SECONDS * 1000 if rebuilt.from_log else 0
    erased = {stone.digest for stone in tombstones(target.client, target.keyspace)}
    waiting: dict[bytes, bytes] = {}

    def send() -> None:
        moment = int(time.time() * 1000)
        rebuilt.events += fill(target.client, target.keyspace, waiting, begin_ms, whole_until_ms, moment)
        rebuilt.customers += len(waiting)
        waiting.clear()

    for digest, events in _merged(_from_warehouse(warehouse, relation, packer, begin_ms, now_ms, rebuilt), logged):
        if digest not in erased:
            waiting[digest] = _in_order(events)
            if len(waiting) == CUSTOMERS_PER_STEP:
                send()
    send()
    return rebuilt


def _from_log(log: Iterable[bytes], packer: Packer, begin_ms: int, now_ms: int, rebuilt: Rebuilt) -> History:
    history: History = {}
    for payload in log:
        try:
            event = packed(parsed(payload, now_ms), packer)
        except Poison:
            rebuilt.poison += 1
            continue
        if event and _at_ms(event.event) >= begin_ms:
            rebuilt.from_log += 1
            history.setdefault(event.digest, []).append(event.event)
    return history


def _from_warehouse(
    warehouse: Warehouse, relation: str, packer: Packer, begin_ms: int, now_ms: int, rebuilt: Rebuilt
) -> Iterator[tuple[bytes, list[bytes]]]:
    """A customer at a time."""
    first, last = (datetime.fromtimestamp(ms / 1000, UTC).date() for ms in (begin_ms, now_ms))
    customer, digest = "", b""
    events: list[bytes] = []
    for batch in warehouse.read(events_query(first, last, relation), {"asset": "velocity"}):
        for row in batch.to_pylist():
            if not begin_ms <= row["at_ms"] <= now_ms:
                continue
            event = packer.packed(
                row["customer_id"],
                row["transaction_id"],
                row["at_ms"],
                cents(row["amount"]) if row["status"] == COMPLETED else None,
                row["device_id"] or "",
                row["product_category"] or "",
            )
            rebuilt.from_warehouse += 1
            if row["customer_id"] != customer and events:
                yield digest, events
                events = []
            customer, digest = row["customer_id"], event.digest
            events.append(event.event)
    if events:
        yield digest, events


def _merged(customers: Iterable[tuple[bytes, list[bytes]]], logged: History) -> Iterator[tuple[bytes, list[bytes]]]:
    for digest, events in customers:
        yield digest, events + logged.pop(digest, [])
    yield from logged.items()


def _in_order(events: list[bytes]) -> bytes:
    """By time, each once; what the warehouse says stands before what the log says, and is taken."""
    once: dict[bytes, bytes] = {}
    for event in events:
        once.setdefault(event[:_IDENTITY_BYTES], event)
    ordered = [once[identity] for identity in sorted(once, key=_at_ms)]
    return b"".join(ordered)


def _at_ms(event: bytes) -> int:
    return int.from_bytes(event[:6], "little")
