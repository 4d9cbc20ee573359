"""Environment variables and the keys of the settings that they stand for; which keys are secrets. All derived."""

from __future__ import annotations

from dataclasses import fields

from bnpl_features.sections import Settings

SECTIONS = tuple(one.name for one in fields(Settings) if one.name != "source")
"""Sections of the settings file whose keys are the fields of a dataclass; [transactions] is the source."""

_PREFIXES = {"store": "BNPL_", "checks": "BNPL_", "monitoring": "BNPL_"}
"""Where it is not BNPL_<SECTION>_."""

_OF_BIGQUERY = (
    "project",
    "dataset",
    "location",
    "maximum_bytes_billed",
    "timeout_seconds",
    "api_endpoint",
    "storage_endpoint",
)
_NAMED = {
    ("warehouse", "engine"): "BNPL_WAREHOUSE",
    **{("warehouse", key): f"BNPL_BIGQUERY_{key.upper()}" for key in _OF_BIGQUERY},
    ("store", "url"): "REDIS_URL",
    ("store", "folder"): "BNPL_STORE_FOLDER",
    ("monitoring", "traces"): "OTEL_TRACES_EXPORTER",
    ("monitoring", "traces_endpoint"): "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ("monitoring", "service_name"): "OTEL_SERVICE_NAME",
}
"""Names that follow no rule of ours."""

_ONLY_IN_THE_FILE = {("checks", "drift_thresholds")}


def _variable(section: str, key: str) -> str:
    return _NAMED.get((section, key)) or f"{_PREFIXES.get(section, f'BNPL_{section.upper()}_')}{key.upper()}"


VARIABLES: dict[str, tuple[str, str]] = {
    _variable(section, one.name): (section, one.name)
    for section in SECTIONS
    for one in fields(getattr(Settings(), section))
    if (section, one.name) not in _ONLY_IN_THE_FILE
} | {"BNPL_TRANSACTIONS": ("transactions", "relation")}
"""Environment variable -> (section, key) of the settings file."""

SECRETS = frozenset(
    (section, one.name) for section in SECTIONS for one in fields(getattr(Settings(), section)) if not one.repr
)
"""(section, key) of what is never shown, a URL with a password among them, and may be a reference."""
