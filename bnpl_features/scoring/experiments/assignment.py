"""Which arm a customer is in: a salted hash, no memory, the same on every server and after every restart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bnpl_features.scoring.experiments.allocation import BUCKETS
from bnpl_features.scoring.experiments.definition import Arm, Definitions

_PURPOSE = b"bnpl-experiment"
_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Assigned:
    """An arm that answers; `model` is None where that is the champion."""

    experiment: str
    arm: str
    model: tuple[str, int] | None


class Assignments:
    """The running experiment, prepared: an assignment takes about a microsecond."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.shadows: tuple[tuple[str, Arm], ...] = ()
        self._arms: list[Assigned | None] = []
        running = definitions.running
        if running is None:
            return
        self._salted = salted(running.salt)
        arms = {arm.name: Assigned(running.name, arm.name, _model_of(arm)) for arm in running.arms}
        self._arms = [arms.get(name) for name in running.allocation.by_bucket()]
        self.shadows = tuple((running.name, arm) for arm in running.arms if arm.is_shadow)

    def of(self, customer_id: str) -> Assigned | None:
        """The customer's arm; None for one who is in no experiment."""
        return self._arms[bucket_of(self._salted, customer_id)] if self._arms else None

    @property
    def models(self) -> set[tuple[str, int]]:
        """The models by name and version that arms ask for."""
        running = self.definitions.running
        return {model for arm in (running.arms if running else ()) if (model := _model_of(arm))}


def salted(salt: str) -> hashlib.blake2b:
    """The hash with the salt taken in: a copy for each customer costs half of starting anew."""
    return hashlib.blake2b(digest_size=_DIGEST_BYTES, key=salt.encode(), person=_PURPOSE)


def bucket_of(salted_hash: hashlib.blake2b, customer_id: str) -> int:
    """0..9999, uniform over customers."""
    own = salted_hash.copy()
    own.update(customer_id.encode(errors="surrogatepass"))
    return int.from_bytes(own.digest(), "big") % BUCKETS


def _model_of(arm: Arm) -> tuple[str, int] | None:
    return (arm.model, arm.version) if arm.model is not None and arm.version is not None else None
