"""All configuration: a TOML file, then the environment over it. The only module that reads either."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from bnpl_features.errors import SettingsError
from bnpl_features.features.catalog import ALL_FEATURES, SETS
from bnpl_features.references import look_up_secrets
from bnpl_features.sections import (
    EXECUTORS,
    AlertSettings,
    CheckSettings,
    ConsoleSettings,
    DriftSettings,
    ModelSettings,
    MonitoringSettings,
    PipelineSettings,
    RetrainingSettings,
    ScoringSettings,
    Settings,
    StoreSettings,
    StreamingSettings,
    WarehouseSettings,
)
from bnpl_features.variables import SECTIONS, VARIABLES
from bnpl_features.warehouse.transactions import Source

FILE_VARIABLE = "BNPL_SETTINGS"
DEFAULT_FILE = "bnpl-features.toml"
ENGINES = ("duckdb", "bigquery")
TRACES = ("none", "otlp")
TRIALS = ("shadow", "experiment", "none")
MAIL_SECURITY = ("starttls", "tls", "none")
BROKERS = ("redis", "kafka", "pubsub")

__all__ = [
    "SECTIONS",
    "VARIABLES",
    "AlertSettings",
    "CheckSettings",
    "ConsoleSettings",
    "DriftSettings",
    "ModelSettings",
    "MonitoringSettings",
    "PipelineSettings",
    "RetrainingSettings",
    "ScoringSettings",
    "Settings",
    "StoreSettings",
    "StreamingSettings",
    "WarehouseSettings",
    "load_settings",
]

T = TypeVar("T")


_COLUMN_VARIABLE = "BNPL_COLUMN_"
"""BNPL_COLUMN_<CANONICAL NAME>=<own name> maps one column."""

_SOURCE_KEYS = ("relation", "columns")
_POSITIVE_KEYS = (
    "timeout_seconds",
    "reference_days",
    "unit_change",
    "publish_workers",
    "training_days",
    "maturity_days",
    "max_rows",
    "look_seconds",
    "registry_seconds",
    "request_seconds",
    "asking_days",
    "of_days",
    "performance_days",
    "batch",
    "most_waiting",
    "kept_hours",
    "claim_seconds",
    "session_hours",
)
"""Numbers that must be above 0; all others are at least 0."""


def load_settings(
    environment: Mapping[str, str] | None = None, folder: Path | None = None, overrides: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force; raises `SettingsError` naming the variable or key that is wrong.

    `environment` stands in for the process's own; `overrides` are variables that take precedence over it.
    """
    variables = {**(os.environ if environment is None else environment), **(overrides or {})}
    given = {name: place for name, place in VARIABLES.items() if variables.get(name)}
    values = _file_values(variables, folder or Path.cwd())
    for name, (section, key) in given.items():
        values.setdefault(section, {})[key] = variables[name]
    named = {place: name for name, place in given.items()}
    look_up_secrets(values, named, variables)
    defaults = Settings()
    sections: dict[str, Any] = {name: _section(type(getattr(defaults, name)), name, values, named) for name in SECTIONS}
    settings = Settings(**sections, source=_source(values.get("transactions", {}), variables))
    _require_choice("warehouse engine", settings.warehouse.engine, ENGINES)
    _require_choice("pipeline.executor", settings.pipeline.executor, EXECUTORS)
    _require_choice("model.feature_set", settings.model.feature_set, tuple(one.name for one in SETS))
    _require_choice("monitoring.traces", settings.monitoring.traces, TRACES)
    _require_choice("retraining.mode", settings.retraining.mode, TRIALS)
    _require_choice("alerts.mail_security", settings.alerts.mail_security, MAIL_SECURITY)
    _require_choice("streaming.source", settings.streaming.source, BROKERS)
    _require_order("checks.drift_warn and drift_error", settings.checks.drift_warn, settings.checks.drift_error)
    _require_retraining(settings.retraining)
    return settings


def _file_values(variables: Mapping[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    named = variables.get(FILE_VARIABLE)
    path = Path(named).expanduser() if named else folder / DEFAULT_FILE
    if not path.exists():
        if named:
            raise SettingsError(f"{FILE_VARIABLE} names {named}, which does not exist; correct it or unset it")
        return {}
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; correct its permissions or name") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    _refuse_unknown(f"{path} has unknown sections", values, (*SECTIONS, "transactions"))
    for section, keys in values.items():
        if not isinstance(keys, dict):
            raise SettingsError(f"{path}: {section} is a section; write [{section}] and its keys below")
    return values


def _source(given: Mapping[str, Any], variables: Mapping[str, str]) -> Source:
    _refuse_unknown("settings section [transactions] has unknown keys", given, _SOURCE_KEYS)
    columns = given.get("columns", {})
    if not isinstance(columns, dict):
        raise SettingsError(
            "transactions.columns is a section; write [transactions.columns] and name = 'own name' below"
        )
    mapped = {
        name.removeprefix(_COLUMN_VARIABLE).lower(): own
        for name, own in variables.items()
        if name.startswith(_COLUMN_VARIABLE) and own
    }
    return Source(given.get("relation", Source.relation), {**columns, **mapped})


def _section(
    kind: type[T], section: str, values: Mapping[str, Mapping[str, Any]], named: Mapping[tuple[str, str], str]
) -> T:
    given = values.get(section, {})
    defaults = kind()
    known = [field.name for field in fields(defaults)]  # type: ignore[arg-type]
    _refuse_unknown(f"settings section [{section}] has unknown keys", given, known)
    return kind(
        **{
            key: _typed(key, named.get((section, key), f"{section}.{key}"), value, getattr(defaults, key))
            for key, value in given.items()
        }
    )


def _refuse_unknown(says: str, given: Mapping[str, Any], known: tuple[str, ...] | list[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        hint = get_close_matches(unknown[0], known, n=1)
        mend = f"did you mean {hint[0]!r}?" if hint else "see docs/settings.md"
        raise SettingsError(f"{says}: {', '.join(unknown)}; {mend}")


def _typed(key: str, name: str, value: Any, default: Any) -> Any:
    """`value` as the type of the default it replaces; `name` is the variable or key that gave it."""
    if isinstance(default, (str, bytes, Path)):
        if not isinstance(value, str):
            raise SettingsError(f"setting {name} {value!r} must be text; put it in quotes")
        if isinstance(default, Path):
            return Path(value).expanduser()
        return value.encode() if isinstance(default, bytes) else value
    if isinstance(default, bool):
        return _yes_or_no(name, value)
    if isinstance(default, (int, float)):
        return _number(key, name, value, type(default))
    return _thresholds(name, value)


def _yes_or_no(name: str, value: Any) -> bool:
    """TOML has booleans, the environment only words."""
    if isinstance(value, bool) or value in ("true", "false"):
        return value in (True, "true")
    raise SettingsError(f"setting {name} is {value!r}; write true or false")


def _number(key: str, name: str, value: Any, kind: type[int] | type[float]) -> int | float:
    wanted = "a whole number" if kind is int else "a number"
    bound = "above 0" if key in _POSITIVE_KEYS else "of at least 0"
    try:
        # int(2.5) and int(True) would pass silently for 2 and 1.
        number = kind(value) if isinstance(value, (str, int, kind)) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and key in _POSITIVE_KEYS):
        raise SettingsError(f"setting {name} is {value!r}, but must be {wanted} {bound}")
    return number


def _thresholds(name: str, value: Any) -> dict[str, tuple[float, float]]:
    """Feature -> (warn, error)."""
    if not isinstance(value, dict):
        raise SettingsError(f"{name} is {value!r}; write [{name}] and feature = [warn, error] below")
    _refuse_unknown(f"{name} names unknown features", value, [feature.name for feature in ALL_FEATURES.features])
    pairs = {}
    for feature, pair in value.items():
        if not isinstance(pair, list) or len(pair) != 2:
            raise SettingsError(f"{name}.{feature} is {pair!r}, but must be two numbers: [warn, error]")
        warn, error = (float(_number("", f"{name}.{feature}", bound, float)) for bound in pair)
        _require_order(f"{name}.{feature}", warn, error)
        pairs[feature] = (warn, error)
    return pairs


def _require_order(name: str, warn: float, error: float) -> None:
    if warn > error:
        raise SettingsError(f"{name}: the warning threshold {warn} is above the error threshold {error}; exchange them")


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise SettingsError(f"{name} {value!r}: choose one of {', '.join(choices)}")


def _require_retraining(chosen: RetrainingSettings) -> None:
    if not chosen.calm_days < chosen.asking_days <= chosen.of_days:
        raise SettingsError(
            f"retraining.calm_days {chosen.calm_days}, asking_days {chosen.asking_days} and of_days {chosen.of_days} "
            "must rise in this order; only the last two may be equal"
        )
    if not 0.0 < chosen.share < 1.0:
        raise SettingsError(f"retraining.share is {chosen.share}, but must be above 0 and below 1")
    if chosen.calibration_ratio <= 1.0:
        raise SettingsError(f"retraining.calibration_ratio is {chosen.calibration_ratio}, but must be above 1")
