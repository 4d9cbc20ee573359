"""Each piece of news once, to every target; what a target did not take is offered to it again."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from bnpl_features.alerts.alert import Alert, Severity
from bnpl_features.alerts.targets import Target
from bnpl_features.errors import AlertUndelivered

REPEAT_SECONDS = 12 * 3_600.0
MOST_WAITING = 50
"""Of more, the oldest are given up: a target that is down for days is not flooded when it is back."""

_LOG = logging.getLogger("bnpl_features.alerts")


@dataclass(frozen=True)
class Waiting:
    """An alert that the target of that name has still to take."""

    target: str
    alert: Alert


@dataclass(frozen=True)
class Ledger:
    """What was sent, and what has still to be: `sent` is key -> seconds since the epoch."""

    sent: Mapping[str, float] = field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Ledger:
        """An empty one where there is no text."""
        if not text:
            return cls()
        value = json.loads(text)
        waiting = tuple(
            Waiting(one["target"], Alert(**(one["alert"] | {"severity": Severity(one["alert"]["severity"])})))
            for one in value["waiting"]
        )
        return cls(value["sent"], waiting)


def deliver(
    alerts: Sequence[Alert],
    targets: Sequence[Target],
    ledger: Ledger,
    *,
    now: float,
    repeat_seconds: float = REPEAT_SECONDS,
) -> Ledger:
    """Send what is new, and what waits from before; returns what is known then. A target that fails holds up none."""
    sent = {key: at for key, at in ledger.sent.items() if now - at < repeat_seconds}
    offered = list(ledger.waiting)
    for alert in alerts:
        if alert.key not in sent:
            sent[alert.key] = now
            offered += [Waiting(target.name, alert) for target in targets]
    by_name = {target.name: target for target in targets}
    kept: list[Waiting] = []
    failing: set[str] = set()
    for one in offered:
        # A target that is not configured any more takes what waited for it along.
        target = by_name.get(one.target)
        if target is None:
            continue
        if one.target in failing:
            kept.append(one)
            continue
        try:
            target.send(one.alert)
        except AlertUndelivered as error:
            # Not tried again in this round: each attempt may take as long as its timeout.
            failing.add(one.target)
            kept.append(one)
            _LOG.error("%s", error)
    if len(kept) > MOST_WAITING:
        _LOG.error("%s alerts are given up: they waited too long", len(kept) - MOST_WAITING)
    return Ledger(sent, tuple(kept[-MOST_WAITING:]))
