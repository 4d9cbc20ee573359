"""Settings -> how models are trained, kept and watched: a training spec, the registry, rules of drift."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import TYPE_CHECKING

from bnpl_features.connect.extras import extra
from bnpl_features.settings import (
    ModelSettings,
    RetrainingSettings,
    Settings,
)

if TYPE_CHECKING:
    from bnpl_features.drift.examination import Rules
    from bnpl_features.retraining.decision import Policy
    from bnpl_features.risk_model.registry import Registry
    from bnpl_features.risk_model.training_query import TrainingSpec
    from bnpl_features.risk_model.training_set import TrainingSet


def training_spec(settings: ModelSettings, as_of: date, days: int | None = None) -> TrainingSpec:
    """Which purchases train a model as of a day, as the settings say; `days` takes precedence."""
    from bnpl_features.risk_model.training_query import TrainingSpec

    return TrainingSpec(as_of, days or settings.training_days, settings.maturity_days, settings.max_rows, settings.seed)


def champion_training(settings: ModelSettings, name: str = "behavioural") -> tuple[tuple[date, date], str]:
    """First and last feature partition that a champion was trained on, and its name and version.

    Raises `ModelMissing` where there is no champion, or where its training set is not in `model.folder`.
    """
    from bnpl_features.risk_model.registry import CHAMPION, version_of
    from bnpl_features.risk_model.training_set import read_training_set

    version = version_of(model_registry(settings), name, CHAMPION)
    partitions = read_training_set(settings.training_sets / version.tags["training_set"]).spec.partitions
    return (partitions[0], partitions[-1]), f"{name} {version.number}"


def training_set_behind(settings: ModelSettings, registry: Registry, name: str, which: str) -> TrainingSet:
    """What a version was trained on; raises `ModelMissing`, also where that is not in `model.folder`."""
    from bnpl_features.risk_model.registry import version_of
    from bnpl_features.risk_model.training_set import read_training_set

    return read_training_set(settings.training_sets / version_of(registry, name, which).tags.get("training_set", ""))


def model_registry(settings: ModelSettings) -> Registry:
    """The configured registry of models; raises `RegistryUnavailable` where none answers."""
    with extra("model"):
        from bnpl_features.risk_model.registry import open_registry

        return open_registry(settings.registry_url, settings.folder, settings.registry_prefix)


def drift_rules(settings: Settings) -> Rules:
    """How days are examined for drift; raises `SettingsError` for a calendar that cannot be used."""
    from bnpl_features.drift.calendar import read_calendar
    from bnpl_features.drift.examination import Rules
    from bnpl_features.drift.limits import Limits

    checks, drift = settings.checks, settings.drift
    own = {one.name: getattr(drift, one.name) for one in fields(drift) if one.name != "calendar_file"}
    limits = Limits(
        warn=checks.drift_warn,
        error=checks.drift_error,
        by_feature=checks.drift_thresholds,
        null_burst=checks.null_increase,
        **own,
    )
    return Rules(limits, checks.reference_days, read_calendar(drift.calendar_file))


def retraining_policy(settings: RetrainingSettings) -> Policy:
    from bnpl_features.retraining.decision import Policy

    return Policy(**{one.name: getattr(settings, one.name) for one in fields(Policy)})
