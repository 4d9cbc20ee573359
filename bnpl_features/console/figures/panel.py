"""A part of a page that may fail on its own: what was found, or what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from bnpl_features.errors import BnplFeaturesError

T = TypeVar("T")


class Level(StrEnum):
    """How something is; never shown by its colour alone."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    IDLE = "idle"


@dataclass(frozen=True)
class Panel(Generic[T]):
    """`value` is None where `problem` says why."""

    value: T | None
    problem: str = ""


def panel(read: Callable[[], T]) -> Panel[T]:
    """What `read` returns; the project's own errors become the panel's problem, anything else is a bug."""
    try:
        return Panel(read())
    except BnplFeaturesError as error:
        return Panel(None, str(error))


def worst(levels: list[Level]) -> Level:
    """FAIL before WARN before OK; IDLE where there is nothing to judge."""
    return next((one for one in (Level.FAIL, Level.WARN, Level.OK) if one in levels), Level.IDLE)
