"""All configuration: a TOML file, then the environment over it. The only module that reads either."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bnpl_features.errors import SettingsError
from bnpl_features.warehouse.transactions import Source

FILE_VARIABLE = "BNPL_SETTINGS"
DEFAULT_FILE = "bnpl-features.toml"
ENGINES = ("duckdb", "bigquery")

T = TypeVar("T")


@dataclass(frozen=True)
class WarehouseSettings:
    """Where features are computed."""

    engine: str = "duckdb"
    folder: Path = Path(".bnpl/warehouse")
    threads: int = 0
    memory_limit: str = ""
    project: str = ""
    dataset: str = "bnpl_features"
    location: str = ""
    maximum_bytes_billed: int = 0
    timeout_seconds: float = 3_600.0
    api_endpoint: str = ""
    storage_endpoint: str = ""


@dataclass(frozen=True)
class StoreSettings:
    """Where features are served from; an empty `url` means the embedded server in `folder`."""

    url: str = ""
    folder: Path = Path(".bnpl/store")
    namespace: str = "bnpl"
    customer_key: bytes = field(default=b"", repr=False)
    retained_versions: int = 1


@dataclass(frozen=True)
class CheckSettings:
    """Thresholds of the checks; `drift_thresholds` maps a feature to its own (warn, error) pair."""

    drift_warn: float = 0.1
    drift_error: float = 0.25
    drift_thresholds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reference_days: int = 7
    row_count_tolerance: float = 0.3
    null_increase: float = 0.2


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; see docs/settings.md."""

    warehouse: WarehouseSettings = WarehouseSettings()
    store: StoreSettings = StoreSettings()
    checks: CheckSettings = CheckSettings()
    source: Source = Source()


_VARIABLES: dict[str, tuple[str, str]] = {
    "BNPL_WAREHOUSE": ("warehouse", "engine"),
    "BNPL_WAREHOUSE_FOLDER": ("warehouse", "folder"),
    "BNPL_WAREHOUSE_THREADS": ("warehouse", "threads"),
    "BNPL_WAREHOUSE_MEMORY_LIMIT": ("warehouse", "memory_limit"),
    "BNPL_BIGQUERY_PROJECT": ("warehouse", "project"),
    "BNPL_BIGQUERY_DATASET": ("warehouse", "dataset"),
    "BNPL_BIGQUERY_LOCATION": ("warehouse", "location"),
    "BNPL_BIGQUERY_MAXIMUM_BYTES_BILLED": ("warehouse", "maximum_bytes_billed"),
    "BNPL_BIGQUERY_TIMEOUT_SECONDS": ("warehouse", "timeout_seconds"),
    "BNPL_BIGQUERY_API_ENDPOINT": ("warehouse", "api_endpoint"),
    "BNPL_BIGQUERY_STORAGE_ENDPOINT": ("warehouse", "storage_endpoint"),
    "REDIS_URL": ("store", "url"),
    "BNPL_STORE_FOLDER": ("store", "folder"),
    "BNPL_NAMESPACE": ("store", "namespace"),
    "BNPL_CUSTOMER_KEY": ("store", "customer_key"),
    "BNPL_RETAINED_VERSIONS": ("store", "retained_versions"),
    "BNPL_DRIFT_WARN": ("checks", "drift_warn"),
    "BNPL_DRIFT_ERROR": ("checks", "drift_error"),
    "BNPL_REFERENCE_DAYS": ("checks", "reference_days"),
    "BNPL_TRANSACTIONS": ("transactions", "relation"),
}
"""Environment variable -> (section, key) of the settings file."""

_COLUMN_VARIABLE = "BNPL_COLUMN_"
"""BNPL_COLUMN_<CANONICAL NAME>=<own name> maps one column."""


def load_settings(
    environment: Mapping[str, str] | None = None, folder: Path | None = None, overrides: Mapping[str, str] | None = None
) -> Settings:
    """The settings in force; raises `SettingsError` naming the variable or key that is wrong.

    `environment` stands in for the process's own; `overrides` are variables that take precedence over it.
    """
    variables = {**(os.environ if environment is None else environment), **(overrides or {})}
    values = _file_values(variables, folder or Path.cwd())
    for name, (section, key) in _VARIABLES.items():
        if variables.get(name):
            values.setdefault(section, {})[key] = variables[name]
    transactions = values.get("transactions", {})
    columns = dict(transactions.get("columns", {}))
    for name, value in variables.items():
        if name.startswith(_COLUMN_VARIABLE):
            columns[name.removeprefix(_COLUMN_VARIABLE).lower()] = value
    settings = Settings(
        warehouse=_section(WarehouseSettings, "warehouse", values),
        store=_section(StoreSettings, "store", values),
        checks=_section(CheckSettings, "checks", values),
        source=Source(transactions.get("relation", "transactions"), columns),
    )
    if settings.warehouse.engine not in ENGINES:
        raise SettingsError(f"warehouse engine {settings.warehouse.engine!r}: choose one of {', '.join(ENGINES)}")
    return settings


def _file_values(variables: Mapping[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    named = variables.get(FILE_VARIABLE)
    path = Path(named) if named else folder / DEFAULT_FILE
    if not path.exists():
        if named:
            raise SettingsError(f"{FILE_VARIABLE} names {named}, which does not exist; correct it or unset it")
        return {}
    try:
        values: dict[str, dict[str, Any]] = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    unknown = set(values) - {"warehouse", "store", "checks", "transactions"}
    if unknown:
        raise SettingsError(f"{path} has unknown sections: {', '.join(sorted(unknown))}; see docs/settings.md")
    return values


def _section(kind: type[T], section: str, values: Mapping[str, Mapping[str, Any]]) -> T:
    given = values.get(section, {})
    defaults = kind()
    unknown = [key for key in given if not hasattr(defaults, key)]
    if unknown:
        raise SettingsError(
            f"settings section [{section}] has unknown keys: {', '.join(unknown)}; see docs/settings.md"
        )
    return kind(**{key: _typed(section, key, value, getattr(defaults, key)) for key, value in given.items()})


def _typed(section: str, key: str, value: Any, default: Any) -> Any:
    """`value` as the type of the default it replaces."""
    try:
        if isinstance(default, bytes):
            return str(value).encode()
        if isinstance(default, (int, float, str, Path)):
            return type(default)(value) if not isinstance(default, Path) else Path(value)
        return {name: (float(pair[0]), float(pair[1])) for name, pair in value.items()}
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise SettingsError(f"setting {section}.{key} is {value!r}, which does not fit: {error}") from error
