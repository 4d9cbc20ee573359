"""The risk models: their versions, how champion and challenger were judged, and every attempt at a promotion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnpl_features.features.segment import SEGMENTS
from bnpl_features.risk_model.bootstrap import Interval
from bnpl_features.risk_model.evaluation import Evaluation
from bnpl_features.risk_model.metrics import LOWER_IS_BETTER
from bnpl_features.risk_model.promotion import promotions
from bnpl_features.risk_model.registry import CHALLENGER, CHAMPION, Registry, Version, evaluation_of, versions
from bnpl_features.risk_model.rules import RULES
from bnpl_features.risk_model.training import MODEL_NAMES

MOST_ATTEMPTS = 20
_TAGS = ("actor", "feature_set", "fingerprint", "training_set", "layout", "code_version")


@dataclass(frozen=True)
class ModelVersion:
    """`created_at` is seconds since the epoch; `training_set`, `layout` and `fingerprint` are in hexadecimal."""

    name: str
    number: int
    aliases: tuple[str, ...]
    created_at: float
    actor: str
    feature_set: str
    fingerprint: str
    training_set: str
    layout: str
    code_version: str

    @property
    def is_champion(self) -> bool:
        return CHAMPION in self.aliases

    @property
    def is_challenger(self) -> bool:
        return CHALLENGER in self.aliases


@dataclass(frozen=True)
class Judged:
    """A version on the test purchases of its own training set; `rules` are the figures of the rules on the same."""

    name: str
    number: int
    role: str
    training_set: str
    days: tuple[str, str]
    purchases: int
    defaults: int
    figures: Mapping[str, Interval]
    rules: Mapping[str, Interval]


@dataclass(frozen=True)
class Attempt:
    """A promotion that was asked for; `previous` is the champion's number before it, empty where there was none."""

    at: float
    model: str
    version: str
    previous: str
    outcome: str
    actor: str
    reason: str


@dataclass(frozen=True)
class Models:
    """Versions by model, the newest first; who has an alias is judged, champions first."""

    versions: tuple[ModelVersion, ...]
    judged: tuple[Judged, ...]
    attempts: tuple[Attempt, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.name for one in self.versions))

    def judged_of(self, name: str) -> tuple[Judged, ...]:
        return tuple(one for one in self.judged if one.name == name)

    def metrics_of(self, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(metric for one in self.judged_of(name) for metric in one.figures))


def models(registry: Registry) -> Models:
    """Raises `RegistryUnavailable`."""
    found = [version for name in model_names() for version in versions(registry, name)]
    judged = [
        one
        for role in (CHAMPION, CHALLENGER)
        for version in found
        if role in version.aliases and (one := _judged(registry, version, role))
    ]
    attempts = [Attempt(float(act.pop("at")), **act) for act in promotions(registry, MOST_ATTEMPTS)]
    return Models(tuple(map(_version, found)), tuple(judged), tuple(attempts))


def model_names() -> Sequence[str]:
    """Those that `train` makes, the one that answers first, and those that segments have of their own."""
    first = ("behavioural", *(name for name in MODEL_NAMES if name != "behavioural"))
    return tuple(dict.fromkeys((*first, *(one.model for one in SEGMENTS if one.model))))


def lower_is_better(metric: str) -> bool:
    return metric in LOWER_IS_BETTER


def _judged(registry: Registry, version: Version, role: str) -> Judged | None:
    evaluation = evaluation_of(registry, version)
    if evaluation is None or version.name not in evaluation.figures:
        return None
    return Judged(version.name, version.number, role, *_about(evaluation), *_figures(evaluation, version.name))


def _about(evaluation: Evaluation) -> tuple[str, tuple[str, str], int, int]:
    return evaluation.training_set, evaluation.days, evaluation.purchases, evaluation.defaults


def _figures(evaluation: Evaluation, name: str) -> tuple[Mapping[str, Interval], Mapping[str, Interval]]:
    return evaluation.figures[name], evaluation.figures.get(RULES, {})


def _version(version: Version) -> ModelVersion:
    tags = version.tags
    return ModelVersion(
        version.name,
        version.number,
        version.aliases,
        version.created_at,
        *(tags.get(tag, "") for tag in _TAGS),
    )
