"""A worker: polls a source, brings events into the velocity state, acknowledges. It keeps nothing of its own.

Back-pressure: a worker has at most one batch in its hands. It polls again when that is in the store and acknowledged,
so what it cannot keep up with waits at the broker.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import redis

from bnpl_features.errors import StreamUnavailable
from bnpl_features.store.connection import text
from bnpl_features.store.erasure import tombstones
from bnpl_features.store.failover import look_again
from bnpl_features.store.target import Target
from bnpl_features.store.velocity import letters
from bnpl_features.store.velocity.applying import Outcome, Packed, Packer, apply
from bnpl_features.streaming.event import Poison, packed, parsed
from bnpl_features.streaming.source import Lag, Message, Source

BATCH = 1_000
"""Messages a poll: what the store takes in about 30 ms."""

WAIT_SECONDS = 1.0
MOST_DELIVERIES = 5
"""A message that was delivered more often, and never acknowledged, has ended its workers: it is a dead letter."""

REPORT_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 1.0
_LOG = logging.getLogger("bnpl_features.streaming")
_NAMES = {outcome.value: outcome.name.lower() for outcome in Outcome}


@dataclass
class Measures:
    """What a worker has done since it began. `events` counts by outcome: applied, duplicate, late, erased, ignored (of
    a status that counts for nothing) and poison."""

    events: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    failures: int = 0
    lag: Lag = field(default_factory=lambda: Lag(0, 0.0))


class Worker:
    """One at a time in a thread; more workers are more processes."""

    def __init__(
        self, source: Source, target: Target, batch: int = BATCH, clock: Callable[[], float] = time.time
    ) -> None:
        self.measures = Measures()
        self._source = source
        self._target = target
        self._packer = Packer(target.key)
        self._batch = batch
        self._clock = clock
        self._stopped = threading.Event()
        self._reported_at = 0.0
        self._erasures = ""
        self._at_hand: Sequence[Message] = ()
        self._erased: frozenset[bytes] = frozenset()

    def stop(self) -> None:
        """End after the batch at hand: it is applied and acknowledged, or will be delivered again."""
        self._stopped.set()

    def run(self, wait_seconds: float = WAIT_SECONDS) -> None:
        """Until `stop`, whatever the broker and the store do meanwhile."""
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                self.turn(wait_seconds)
                pause = 0.0
            except (StreamUnavailable, redis.RedisError, OSError) as error:
                self.measures.failures += 1
                _LOG.warning("try again: %s", error)
                look_again(self._target.client)
                pause = random.uniform(0.02, min(max(2 * pause, 0.1), _LONGEST_PAUSE_SECONDS))

    def turn(self, wait_seconds: float = 0.0) -> int:
        """Poll once, apply, acknowledge; returns how many messages there were.

        Raises redis-py's errors and `StreamUnavailable`. What could not be applied is at hand in the next turn; what
        could not be acknowledged the broker delivers again.
        """
        if not self._reported_at:
            self._look_for_erasures()
        messages = self._at_hand = self._at_hand or self._source.poll(self._batch, wait_seconds)
        if messages:
            self._take(messages)
            self._at_hand = ()
            self._source.acknowledge(messages)
            self.measures.batches += 1
        if not messages or time.monotonic() - self._reported_at > REPORT_SECONDS:
            self._report()
        return len(messages)

    def _take(self, messages: Sequence[Message]) -> None:
        now_ms = int(self._clock() * 1000)
        events: list[Packed] = []
        dead: list[tuple[str, str, bytes]] = []
        counts: Counter[str] = Counter()
        for message in messages:
            try:
                event = self._packed(message, now_ms)
            except Poison as poison:
                dead.append((message.id, str(poison), message.payload))
                continue
            if event is None:
                counts["ignored"] += 1
            elif event.digest in self._erased:
                counts["erased"] += 1
            else:
                events.append(event)
        if events:
            outcomes = apply(self._target.client, self._target.keyspace, events, now_ms)
            counts.update(_NAMES[outcome] for outcome in outcomes)
        if dead:
            letters.add(self._target.client, self._target.keyspace, dead)
            counts["poison"] += len(dead)
        self.measures.events += counts

    def _packed(self, message: Message, now_ms: int) -> Packed | None:
        if message.deliveries > MOST_DELIVERIES:
            raise Poison(f"delivered {message.deliveries} times without being acknowledged")
        return packed(parsed(message.payload, now_ms), self._packer)

    def _report(self) -> None:
        """Tell readers until when all events have been applied."""
        self._reported_at = time.monotonic()
        self._look_for_erasures()
        self.measures.lag = lag = self._source.lag()
        until = self._clock() - lag.oldest_seconds
        self._target.client.set(self._target.keyspace.caught_up, f"{until:.3f}")

    def _look_for_erasures(self) -> None:
        """Whom to refuse. An erasure marks the state as well, so that none slips through before this is noticed."""
        acts = text(self._target.client.get(self._target.keyspace.erasures) or b"0")
        if acts != self._erasures:
            stones = tombstones(self._target.client, self._target.keyspace)
            self._erased = frozenset(one.digest for one in stones if one.key_check == self._target.key.check)
            self._erasures = acts
