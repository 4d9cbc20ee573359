"""Secrets by reference: a setting says where its secret is, `env:NAME` or `file:PATH`, and holds it only in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bnpl_features.errors import SettingsError
from bnpl_features.variables import SECRETS

_ENVIRONMENT, _FILE = "env:", "file:"
_URLS = ("url", "registry_url", "pushgateway_url")
"""Settings that are secret for the password in them; without one they may stand in a file."""


def look_up_secrets(
    values: Mapping[str, dict[str, Any]], named: Mapping[tuple[str, str], str], variables: Mapping[str, str]
) -> None:
    """Put what secrets refer to in their place. `named` has those that a variable gave, which may hold the secret.

    Raises `SettingsError`, which shows no secret, where a setting refers to nothing, or where a settings file, which is
    copied and committed, holds the secret itself.
    """
    for section, key in sorted(SECRETS):
        value = values.get(section, {}).get(key)
        if value is None:
            continue
        variable = named.get((section, key))
        name = variable or f"{section}.{key}"
        if not isinstance(value, str):
            raise SettingsError(f"setting {name} must be text; put it in quotes")
        if not (variable or _may_stand_in_a_file(key, value)):
            raise SettingsError(
                f"setting {name} is a secret, which must not stand in a settings file; write 'env:NAME' for a variable "
                "of the environment or 'file:PATH' for a file that holds it"
            )
        values[section][key] = _resolved(name, value, variables)


def _may_stand_in_a_file(key: str, value: str) -> bool:
    return not value or value.startswith((_ENVIRONMENT, _FILE)) or (key in _URLS and _without_login(value))


def _resolved(name: str, value: str, variables: Mapping[str, str]) -> str:
    if value.startswith(_FILE):
        return _content(name, Path(value.removeprefix(_FILE)).expanduser())
    if not value.startswith(_ENVIRONMENT):
        return value
    variable = value.removeprefix(_ENVIRONMENT)
    if not variables.get(variable):
        raise SettingsError(f"setting {name} refers to the variable {variable}, which is empty or not set; set it")
    return variables[variable]


def _content(name: str, path: Path) -> str:
    """Of a file as secret stores mount it: an editor's newline at the end is no part of the secret."""
    try:
        content = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SettingsError(f"setting {name} refers to the file {path}, which cannot be read: {reason}") from None
    if not content:
        raise SettingsError(f"setting {name} refers to the file {path}, which is empty")
    return content


def _without_login(url: str) -> bool:
    """Whether nothing in the URL can be a password: not behind a name, nor in an option."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return "@" not in url and "password" not in parts.query
