"""Should the models be trained again? Decided from what the checks of the newest partitions say.

Two thresholds make the hysteresis: enough of the newest partitions must ask, and once a retraining was requested, few
of them may ask before the next one can be (or a long time must have passed: outcomes of what drifted are mature then).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta


@dataclass(frozen=True)
class Day:
    """What the checks of one partition say.

    Attributes:
        drifted: features that drifted in the world, the largest drift first; empty where no check asks for retraining.
        degraded: how matured performance of the champion is worse than it may be; empty where it is not.
        blocked: why the partition may not be published; empty where it may.
    """

    partition: date
    drifted: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        return bool(self.drifted or self.degraded)


@dataclass(frozen=True)
class Policy:
    """`asking_days` of the newest `of_days` partitions must ask; after a request at most `calm_days` of them may, or
    `again_after_days` must have passed (0: never), before the next. `cool_down_days` lie between two runs."""

    asking_days: int = 3
    of_days: int = 5
    calm_days: int = 1
    cool_down_days: float = 14.0
    again_after_days: int = 75


@dataclass(frozen=True)
class Memory:
    """What a decision leaves to the next: whether it may ask, and for which partition it asked last."""

    may_ask: bool = True
    requested: date | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str | None) -> Memory:
        """Nothing remembered where there is no text."""
        if not text:
            return cls()
        value = json.loads(text)
        requested = value["requested"]
        return cls(bool(value["may_ask"]), date.fromisoformat(requested) if requested else None)


@dataclass(frozen=True)
class LastRun:
    """The newest retraining, whoever started it."""

    started_at: datetime
    is_running: bool
    failed: bool


@dataclass(frozen=True)
class Request:
    """A retraining to start. `partition` is the newest that was looked at: of each there is at most one request."""

    partition: date
    reason: str
    drifted: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """`because` says why there is a request, or why there is none."""

    memory: Memory
    because: str
    request: Request | None = None


def decide(days: Sequence[Day], policy: Policy, memory: Memory, last: LastRun | None, now: datetime) -> Decision:
    """`days` are partitions in order of date, of which the newest `of_days` count; `now` has a time zone."""
    looked_at = days[-policy.of_days :]
    if not looked_at:
        return Decision(memory, "no partition has been checked yet")
    newest = looked_at[-1]
    asking = [day for day in looked_at if day.asks]
    memory = _rearmed(memory, len(asking), newest.partition, policy, last)
    found = f"{len(asking)} of the newest {len(looked_at)} partitions ask for retraining"
    against = _against(newest, len(asking), policy, memory, last, now)
    if against:
        return Decision(memory, f"{found}; {against}")
    drifted = tuple(dict.fromkeys(name for day in reversed(asking) for name in day.drifted))
    degraded = tuple(dict.fromkeys(text for day in reversed(asking) for text in day.degraded))
    causes = [*([f"drift of {', '.join(drifted)}"] if drifted else []), *degraded[:1]]
    reason = f"{found}, to {newest.partition}: {'; '.join(causes)}"
    request = Request(newest.partition, reason, drifted)
    return Decision(Memory(may_ask=False, requested=newest.partition), reason, request)


def _rearmed(memory: Memory, asking: int, newest: date, policy: Policy, last: LastRun | None) -> Memory:
    if memory.may_ask or memory.requested is None:
        return replace(memory, may_ask=True)
    calm = asking <= policy.calm_days
    long_ago = bool(policy.again_after_days) and newest - memory.requested >= timedelta(days=policy.again_after_days)
    unmet = last is not None and last.failed
    return replace(memory, may_ask=calm or long_ago or unmet)


def _against(newest: Day, asking: int, policy: Policy, memory: Memory, last: LastRun | None, now: datetime) -> str:
    """The first reason not to ask; empty where there is none."""
    if asking < policy.asking_days:
        return f"{policy.asking_days} would have to"
    if memory.requested is not None and newest.partition <= memory.requested:
        return f"that was requested with partition {memory.requested}"
    if not memory.may_ask:
        return f"requested with partition {memory.requested}, and not again before at most {policy.calm_days} ask" + (
            f" or {policy.again_after_days} days have passed" if policy.again_after_days else ""
        )
    if last is not None and last.is_running:
        return "a training is under way"
    if newest.blocked:
        return f"partition {newest.partition} may not be published: {newest.blocked[0]}"
    if last is not None and not last.failed:
        free_from = last.started_at + timedelta(days=policy.cool_down_days)
        if now < free_from:
            return f"the last training was on {last.started_at:%Y-%m-%d}: not before {free_from:%Y-%m-%d %H:%M}"
    return ""
