"""What an operator does to experiments: start one, change its shares, stop it; each with who and why in the audit."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

from bnpl_features.errors import ExperimentRefused
from bnpl_features.scoring.experiments import definition
from bnpl_features.scoring.experiments.definition import Request
from bnpl_features.scoring.experiments.shelf import Shelf, change

_SALT_BYTES = 8


def start_experiment(shelf: Shelf, request: Request, *, actor: str, reason: str) -> None:
    """As the others: raises `ExperimentRefused`, or `DocumentMoved` where somebody else changed something meanwhile."""
    salt, now = secrets.token_hex(_SALT_BYTES), time.time()
    change(
        shelf,
        lambda found: definition.start(found, request, salt=salt, now=now, actor=actor, reason=reason),
        act=f"start experiment {request.name}",
        actor=actor,
        reason=reason,
    )


def adjust_shares(shelf: Shelf, name: str, shares: Mapping[str, float], *, actor: str, reason: str) -> None:
    """`shares` has each arm that answers."""
    if not reason.strip():
        raise ExperimentRefused("other shares need a reason; give one")
    change(
        shelf,
        lambda found: definition.adjust(found, name, dict(shares), now=time.time()),
        act=f"change shares of experiment {name}",
        actor=actor,
        reason=reason,
    )


def stop_experiment(shelf: Shelf, name: str, *, actor: str, reason: str) -> None:
    change(
        shelf,
        lambda found: definition.stop(found, name, now=time.time(), because=reason),
        act=f"stop experiment {name}",
        actor=actor,
        reason=reason,
    )
