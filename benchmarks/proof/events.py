"""What happened inside the run, and when; times are seconds of the monotonic clock, which all processes share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """`is_moment` where it is over at once: what follows from it is looked for in the seconds after it."""

    name: str
    began: float
    ended: float
    is_moment: bool = False


@dataclass(frozen=True)
class Activation:
    """A version became the one to answer from, between these moments."""

    version: int
    began: float
    ended: float


@dataclass(frozen=True)
class Course:
    """All of a run: `features` and `models` have the activations in their order, the one before the run first."""

    events: Sequence[Event]
    features: Sequence[Activation]
    models: Sequence[Activation]
