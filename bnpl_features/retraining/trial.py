"""What becomes of a challenger that nobody asked for: a shadow arm, a share of the customers, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bnpl_features.risk_model.registry import Version
from bnpl_features.scoring.experiments.definition import CONTROL, Arm, Definitions, Request, start, stop
from bnpl_features.scoring.experiments.shelf import Shelf, change, read_definitions

ACTOR = "retraining"
"""Who starts these experiments; those of anybody else are left alone."""

CHALLENGER_ARM = "challenger"


class Mode(StrEnum):
    """How a challenger is tried: only logged, answering a share of the customers, or not at all."""

    SHADOW = "shadow"
    EXPERIMENT = "experiment"
    NONE = "none"


@dataclass(frozen=True)
class Trial:
    """`experiment` is its name, empty where there is none; `because` says why it is what it is."""

    experiment: str
    mode: Mode
    because: str


def begin_trial(
    shelf: Shelf,
    challenger: Version,
    mode: Mode,
    *,
    share: float,
    objections: tuple[str, ...],
    salt: str,
    now: float,
    reason: str,
) -> Trial:
    """Start the experiment of a challenger, in place of the one that was started for the challenger before it.

    Objections of the promotion gate make an experiment a shadow: a model that may be worse answers nobody. Where
    somebody else's experiment runs, it goes on and the challenger waits. A second call for the same version changes
    nothing.
    """
    if mode is Mode.NONE:
        return Trial("", mode, "retraining.mode is none")
    name = f"{challenger.name}-v{challenger.number}"
    definitions = read_definitions(shelf)
    if any(one.name == name for one in definitions.experiments):
        return Trial(name, mode, "it was started before")
    running = definitions.running
    if running and running.actor != ACTOR:
        because = f"experiment {running.name} of {running.actor} is running; start one when it has ended"
        return Trial("", Mode.NONE, because)
    chosen = Mode.SHADOW if objections else mode
    arm = Arm(CHALLENGER_ARM, challenger.name, challenger.number)
    answering = ((Arm(CONTROL), 1.0 - share), (arm, share)) if chosen is Mode.EXPERIMENT else ()
    request = Request(name, answering, () if answering else (arm,))

    def changed(found: Definitions) -> Definitions:
        if found.running and found.running.actor == ACTOR:
            found = stop(found, found.running.name, now=now, because=f"{name} takes its place")
        return start(found, request, salt=salt, now=now, actor=ACTOR, reason=reason)

    change(shelf, changed, act=f"start experiment {name}", actor=ACTOR, reason=reason)
    because = f"as configured: {mode}" if chosen is mode else "the promotion gate objects, so it answers nobody"
    return Trial(name, chosen, because)
