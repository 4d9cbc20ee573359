"""What a managed Redis costs: a table of offerings in a TOML file, the one shipped or the user's own."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from bnpl_features.errors import SettingsError

_SHIPPED = "prices.toml"


@dataclass(frozen=True)
class Offering:
    """One kind of node: GiB that its server may hold, and USD an hour for one node."""

    provider: str
    node: str
    region: str
    usable_gib: float
    usd_per_hour: float


@dataclass(frozen=True)
class PriceTable:
    """Offerings, and when their prices were looked up."""

    as_of: str
    offerings: tuple[Offering, ...]


def load_prices(path: Path | None = None) -> PriceTable:
    """The table in `path`, or the shipped one; raises `SettingsError` naming the entry that is wrong."""
    if path is None:
        return parse_prices(files(__package__).joinpath(_SHIPPED).read_text(encoding="utf-8"), _SHIPPED)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"the price file {path} cannot be read: {reason}; correct its name or content") from error
    return parse_prices(text, str(path))


def parse_prices(text: str, name: str) -> PriceTable:
    """The table that `text` holds; `name` says in errors which file it is."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"the price file {name} is not valid TOML: {error}") from error
    as_of, entries = values.pop("as_of", None), values.pop("offering", None)
    if values:
        raise SettingsError(f"the price file {name} has unknown keys: {', '.join(values)}; keep as_of and [[offering]]")
    if as_of is None or as_of == "":
        raise SettingsError(
            f'the price file {name} lacks as_of; write when you looked the prices up, as_of = "2025-06"'
        )
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise SettingsError(f"the price file {name} lists nothing; begin each kind of node with a line [[offering]]")
    offerings = tuple(_offering(entry, number, name) for number, entry in enumerate(entries, start=1))
    return PriceTable(str(as_of), offerings)


def _offering(entry: dict[str, Any], number: int, name: str) -> Offering:
    known = [field.name for field in fields(Offering)]
    label = f"offering {number} ({entry.get('node', 'without a node')}) of the price file {name}"
    for key in known:
        if key not in entry:
            raise SettingsError(f"{label} lacks {key}; each has {', '.join(known)}")
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise SettingsError(f"{label} has unknown keys: {', '.join(unknown)}; each has {', '.join(known)}")
    for field in fields(Offering):
        value = entry[field.name]
        if field.type == "str" and not (isinstance(value, str) and value):
            raise SettingsError(f"{label} has {field.name} {value!r}; write a text in quotes")
        if field.type == "float" and not _is_positive(value):
            raise SettingsError(f"{label} has {field.name} {value!r}; write a number above 0, without quotes")
    return Offering(**entry)


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0
