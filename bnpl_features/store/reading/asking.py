"""Which server is asked for what, and what is done when it fails or refuses: elsewhere or again, while there is time.

No I/O: `Asker.replies` is a generator of steps (see `steps.py`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bnpl_features.store.reading.breaker import Breaker
from bnpl_features.store.reading.follower import Follower
from bnpl_features.store.reading.routes import Routes, Server, Shard, redirected
from bnpl_features.store.reading.steps import Ask, Outcome, OverBudget, Steps
from bnpl_features.store.wire import ASKING, ServerError

_FIRST_PAUSE_SECONDS = 0.0005
_WORTH_ANOTHER_TRY = ("TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "BUSY")
_CIRCUIT_OPEN = "the circuit is open after repeated failures"


class Replicas(StrEnum):
    """Whether lookups may go to replicas. A record is never changed, so a replica's is as good as its primary's; that
    it has none is confirmed by the primary."""

    NEVER = "never"
    WHEN_PRIMARY_FAILS = "when_primary_fails"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why there is no reply."""

    reason: str


Found = bytes | None | Unanswered
"""A record, none, or why that is not known."""


@dataclass(slots=True)
class _Group:
    """Positions of a batch that are asked of one server together."""

    shard: Shard
    server: Server
    positions: Sequence[int]
    tried: tuple[Server, ...] = ()
    asking: bool = False
    tries: int = 0
    asked_at: float = 0.0

    @property
    def of_replica(self) -> bool:
        return self.server in self.shard.replicas


class Asker:
    """Asks the servers that a follower names; a circuit breaker for each. Threads may share it."""

    def __init__(self, follower: Follower, budget_seconds: float, replicas: Replicas) -> None:
        self.breakers: dict[Server, Breaker] = {}
        self._follower = follower
        self._budget_seconds = budget_seconds
        self._replicas = replicas

    def replies(self, requests: Sequence[tuple[bytes, bytes]], deadline: float) -> Steps[list[Found]]:
        """What was found for each request, a pair of bucket key and command, until `deadline`."""
        found: list[Found] = [None] * len(requests)
        groups = self._first_groups(self._follower.routes, requests, found)
        outcomes = yield tuple([self._ask(group, requests, deadline) for group in groups])
        again = self._all_settled(groups, outcomes, found)
        if again:
            yield from self._persist(again, requests, found, deadline)
        return found

    def _persist(
        self,
        groups: list[_Group],
        requests: Sequence[tuple[bytes, bytes]],
        found: list[Found],
        deadline: float,
    ) -> Steps[None]:
        """Ask again what was not answered, elsewhere or later, as long as there is time."""
        pause = _FIRST_PAUSE_SECONDS
        while groups:
            if any(group.tries > 1 for group in groups):
                pause = min(2 * pause, max(deadline - time.monotonic(), 0.0))
                yield random.uniform(0.0, pause)  # all readers of a broken server must not come back at once
            if time.monotonic() >= deadline:
                self._give_up(groups, self._text_of(OverBudget()), found)
                return
            outcomes = yield tuple([self._ask(group, requests, deadline) for group in groups])
            groups = self._all_settled(groups, outcomes, found)

    def _first_groups(
        self, routes: Routes, requests: Sequence[tuple[bytes, bytes]], found: list[Found]
    ) -> list[_Group]:
        if routes.by_slot is None:
            by_shard: dict[Shard, Sequence[int]] = {routes.shards[0]: range(len(requests))}
        else:
            by_shard = self._by_shard(routes, requests, found)
        groups = []
        for shard, positions in by_shard.items():
            server = self._choice(shard, ())
            if server is None:
                self._give_up([_Group(shard, shard.primary, positions)], _CIRCUIT_OPEN, found)
            elif positions:
                groups.append(_Group(shard, server, positions))
        return groups

    def _by_shard(
        self, routes: Routes, requests: Sequence[tuple[bytes, bytes]], found: list[Found]
    ) -> dict[Shard, Sequence[int]]:
        by_shard: dict[Shard, list[int]] = {}
        for position, (bucket_key, _) in enumerate(requests):
            shard = routes.shard_of(bucket_key)
            if shard is None:
                found[position] = Unanswered("no server of the cluster covers the bucket's slot")
            else:
                by_shard.setdefault(shard, []).append(position)
        return dict(by_shard)

    def _choice(self, shard: Shard, tried: tuple[Server, ...]) -> Server | None:
        """The server to ask next: one that was not tried yet, if there is one, and whose circuit is closed."""
        if not shard.replicas or self._replicas is Replicas.NEVER:
            return shard.primary if self._breaker(shard.primary).allows() else None
        replicas = random.sample(shard.replicas, len(shard.replicas))
        preferred = (*replicas, shard.primary) if self._replicas is Replicas.FIRST else (shard.primary, *replicas)
        untried = [server for server in preferred if server not in tried]
        return next((server for server in untried or preferred if self._breaker(server).allows()), None)

    def _ask(self, group: _Group, requests: Sequence[tuple[bytes, bytes]], deadline: float) -> Ask:
        positions = group.positions
        group.asked_at = time.monotonic()
        if group.asking:
            payload = b"".join([ASKING + requests[position][1] for position in positions])
            return Ask(group.server, group.of_replica, payload, 2 * len(positions), deadline)
        if len(positions) == 1:
            payload = requests[positions[0]][1]
        else:
            payload = b"".join([requests[position][1] for position in positions])
        if group.shard.replicas and self._replicas is not Replicas.NEVER and not group.tried:
            # A server that hangs must leave time to ask another.
            deadline = group.asked_at + (deadline - group.asked_at) / 2
        return Ask(group.server, group.of_replica, payload, len(positions), deadline)

    def _all_settled(self, groups: list[_Group], outcomes: list[Outcome], found: list[Found]) -> list[_Group]:
        again: list[_Group] = []
        for group, outcome in zip(groups, outcomes, strict=True):
            again += self._settled(group, outcome, found)
        return again

    def _settled(self, group: _Group, outcome: Outcome, found: list[Found]) -> Sequence[_Group]:
        """Write down what was found; returns what is to be asked again, and of whom."""
        if isinstance(outcome, Exception):
            return self._after_failure(group, outcome, found)
        self._breaker(group.server).succeeded()
        if len(outcome) == 1 and isinstance(outcome[0], bytes):
            found[group.positions[0]] = outcome[0]
            return ()
        replies = outcome[1::2] if group.asking else outcome
        refusals: dict[ServerError, list[int]] = {}
        missed: list[int] = []
        of_replica = group.of_replica
        for position, reply in zip(group.positions, replies, strict=True):
            if type(reply) is bytes:
                found[position] = reply
            elif isinstance(reply, ServerError):
                refusals.setdefault(reply, []).append(position)
            elif reply is None and of_replica:
                missed.append(position)
            else:
                found[position] = reply
        again: list[_Group] = []
        for refusal, positions in refusals.items():
            again += self._after_refusal(replace(group, positions=positions), refusal, found)
        if missed:
            again += self._confirm(replace(group, positions=missed), found)
        return again

    def _after_failure(self, group: _Group, error: Exception, found: list[Found]) -> list[_Group]:
        self._breaker(group.server).failed(group.asked_at)
        self._follower.hurry(is_in_doubt=not isinstance(error, OverBudget))
        tried = (*group.tried, group.server)
        server = self._choice(group.shard, tried)
        if server is None or (isinstance(error, OverBudget) and server in tried):
            self._give_up([group], self._text_of(error), found)
            return []
        return [_Group(group.shard, server, group.positions, tried, tries=group.tries + 1)]

    def _after_refusal(self, group: _Group, refusal: ServerError, found: list[Found]) -> list[_Group]:
        tries = group.tries + 1
        if refusal.code in ("MOVED", "ASK"):
            self._follower.hurry()
            named = redirected(refusal.text, group.server, self._follower.routes)
            if named is not None:
                return [_Group(Shard(named), named, group.positions, asking=refusal.code == "ASK", tries=tries)]
        if refusal.code in _WORTH_ANOTHER_TRY:
            self._follower.hurry()
            tried = (*group.tried, group.server)
            server = self._choice(group.shard, tried)
            if server is not None:
                return [_Group(group.shard, server, group.positions, tried, tries=tries + 1)]
        self._give_up([group], refusal.text, found)
        return []

    def _confirm(self, group: _Group, found: list[Found]) -> list[_Group]:
        """A replica may lag behind: that a customer is unknown is for the primary to say."""
        primary = group.shard.primary
        if primary in group.tried or not self._breaker(primary).allows():
            self._give_up([group], "the primary fails, and a replica has no such customer", found)
            return []
        return [_Group(group.shard, primary, group.positions, (*group.tried, group.server), tries=group.tries + 1)]

    def _give_up(self, groups: Sequence[_Group], reason: str, found: list[Found]) -> None:
        for group in groups:
            for position in group.positions:
                found[position] = Unanswered(reason)

    def _text_of(self, error: Exception) -> str:
        if isinstance(error, OverBudget):
            return f"over the budget of {self._budget_seconds * 1000:g} ms"
        return str(error) or type(error).__name__

    def _breaker(self, server: Server) -> Breaker:
        try:
            return self.breakers[server]
        except KeyError:
            return self.breakers.setdefault(server, Breaker())
