"""Arms as an operator writes them: `new=0.1:behavioural@challenger`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnpl_features.connect.models import model_registry
from bnpl_features.errors import ExperimentRefused
from bnpl_features.settings import Settings

if TYPE_CHECKING:
    from bnpl_features.scoring.experiments.definition import Arm


def arm_and_share_of(text: str, settings: Settings) -> tuple[Arm, float]:
    name, rest = parted(text, "=")
    share, _, model = rest.partition(":")
    return arm_of(name, model, settings), share_of(share)


def arm_of(name: str, model: str, settings: Settings) -> Arm:
    from bnpl_features.scoring.experiments.definition import Arm

    if not model:
        return Arm(name)
    registered, which = parted(model, "@")
    from bnpl_features.risk_model.registry import version_of

    found = version_of(model_registry(settings.model), registered, which)
    return Arm(name, found.name, found.number)


def parted(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise ExperimentRefused(f"{text!r} has no {mark!r}; `bnpl-features experiments start --help` has an example")
    return before, after


def share_of(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ExperimentRefused(f"{text!r} is no share; write a number from 0 to 1") from error
