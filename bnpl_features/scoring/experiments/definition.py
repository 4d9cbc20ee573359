"""What an experiment is: arms, their models and their shares of the customers; as data, and as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from bnpl_features.errors import ExperimentRefused
from bnpl_features.scoring.experiments.allocation import BUCKETS, Allocation, allocate, reallocate

CONTROL = "champion"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class State(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"


class Arm(msgspec.Struct, frozen=True):
    """`model` and `version` are the registry's; None is whatever is the champion. Scores of a shadow arm are only
    logged."""

    name: str
    model: str | None = None
    version: int | None = None
    is_shadow: bool = False


class Experiment(msgspec.Struct, frozen=True):
    """`allocation` says which of the hash buckets belong to which arm; buckets without an arm are not in it.

    `started_at`, `shares_since` and `stopped_at` are seconds since the epoch. `salt` makes the assignments
    of two experiments independent.
    """

    name: str
    salt: str
    arms: tuple[Arm, ...]
    allocation: Allocation
    state: State
    started_at: float
    actor: str
    reason: str
    shares_since: float = 0.0
    stopped_at: float | None = None
    stopped_because: str = ""

    @property
    def is_running(self) -> bool:
        return self.state is State.RUNNING

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the customers by arm that answers."""
        return {arm.name: self.allocation.count(arm.name) / BUCKETS for arm in self.arms if not arm.is_shadow}


class Definitions(msgspec.Struct, frozen=True):
    """All experiments, in the order in which they were started; `revision` counts the changes."""

    revision: int = 0
    experiments: tuple[Experiment, ...] = ()

    @property
    def running(self) -> Experiment | None:
        """At most one answers at a time: effects of two could not be told apart."""
        return next((one for one in self.experiments if one.is_running), None)

    def named(self, name: str) -> Experiment:
        """The newest of that name; raises `ExperimentRefused`."""
        for one in reversed(self.experiments):
            if one.name == name:
                return one
        there = ", ".join(one.name for one in self.experiments) or "none"
        raise ExperimentRefused(f"there is no experiment {name!r} (there are: {there}); see `experiments list`")


@dataclass(frozen=True)
class Request:
    """What an operator asks for: arms that answer with their shares of all customers, and shadow arms."""

    name: str
    arms: tuple[tuple[Arm, float], ...]
    shadows: tuple[Arm, ...] = ()


def start(definitions: Definitions, request: Request, *, salt: str, now: float, actor: str, reason: str) -> Definitions:
    """With the experiment added; raises `ExperimentRefused`."""
    names = [request.name, *(arm.name for arm, _ in request.arms), *(arm.name for arm in request.shadows)]
    wrong = next((name for name in names if not _NAME.fullmatch(name)), None)
    if wrong is not None:
        raise ExperimentRefused(f"{wrong!r} is no name; use a-z, 0-9, - and _, a letter first")
    if len({*names[1:]}) < len(names) - 1:
        raise ExperimentRefused("two arms have the same name; rename one")
    if any(one.name == request.name for one in definitions.experiments):
        raise ExperimentRefused(f"there was an experiment {request.name} before, and the log names it; choose another")
    if definitions.running:
        raise ExperimentRefused(f"experiment {definitions.running.name} is running; stop it first")
    if not reason.strip():
        raise ExperimentRefused("an experiment needs a reason; give one")
    shares = {arm.name: share for arm, share in request.arms}
    if request.arms and not any(arm.model is None for arm, _ in request.arms):
        raise ExperimentRefused(f"no arm is the control; add {CONTROL}=SHARE")
    made = Experiment(
        request.name,
        salt,
        (*(arm for arm, _ in request.arms), *(_as_shadow(arm) for arm in request.shadows)),
        allocate(shares),
        State.RUNNING,
        now,
        actor,
        reason,
        shares_since=now,
    )
    return Definitions(definitions.revision + 1, (*definitions.experiments, made))


def adjust(definitions: Definitions, name: str, shares: dict[str, float], *, now: float) -> Definitions:
    """With other shares, moving as few customers as that takes; raises `ExperimentRefused`."""
    found = definitions.named(name)
    answering = {arm.name for arm in found.arms if not arm.is_shadow}
    if not found.is_running:
        raise ExperimentRefused(f"experiment {name} is stopped; start another")
    if set(shares) != answering:
        raise ExperimentRefused(f"name the shares of all arms that answer: {', '.join(sorted(answering))}")
    changed = msgspec.structs.replace(found, allocation=reallocate(found.allocation, shares), shares_since=now)
    return _with(definitions, changed)


def stop(definitions: Definitions, name: str, *, now: float, because: str) -> Definitions:
    """With the experiment stopped: everyone is scored by the champion; raises `ExperimentRefused`."""
    found = definitions.named(name)
    if not found.is_running:
        raise ExperimentRefused(f"experiment {name} is stopped already ({found.stopped_because})")
    if not because.strip():
        raise ExperimentRefused("a stop needs a reason; give one")
    return _with(
        definitions, msgspec.structs.replace(found, state=State.STOPPED, stopped_at=now, stopped_because=because)
    )


def _as_shadow(arm: Arm) -> Arm:
    return msgspec.structs.replace(arm, is_shadow=True)


def to_json(definitions: Definitions) -> bytes:
    return msgspec.json.encode(definitions)


def from_json(text: bytes) -> Definitions:
    """Raises `ExperimentRefused` for what this release cannot read."""
    try:
        return msgspec.json.decode(text, type=Definitions)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExperimentRefused(
            f"the experiments' definitions cannot be read ({error}); they are damaged or of a newer release: upgrade"
        ) from error


def _with(definitions: Definitions, changed: Experiment) -> Definitions:
    kept = tuple(changed if one.name == changed.name else one for one in definitions.experiments)
    return Definitions(definitions.revision + 1, kept)
