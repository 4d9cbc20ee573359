"""What BigQuery costs: a list of prices in a TOML file, the one shipped or the user's own."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path

from bnpl_features.errors import SettingsError

_SHIPPED = "prices.toml"


@dataclass(frozen=True)
class WarehousePrices:
    """USD, and when and for which region they were looked up."""

    as_of: str
    region: str
    usd_per_tib_scanned: float
    usd_per_tib_storage_read: float
    usd_per_gib_month_active: float
    usd_per_gib_month_long_term: float
    usd_per_slot_hour_standard: float
    usd_per_slot_hour_enterprise: float
    usd_per_slot_hour_enterprise_plus: float

    @property
    def editions(self) -> dict[str, float]:
        """Edition -> USD a slot-hour."""
        return {
            "Standard": self.usd_per_slot_hour_standard,
            "Enterprise": self.usd_per_slot_hour_enterprise,
            "Enterprise Plus": self.usd_per_slot_hour_enterprise_plus,
        }


def load_warehouse_prices(path: Path | None = None) -> WarehousePrices:
    """The list in `path`, or the shipped one; raises `SettingsError` naming the key that is wrong."""
    name = str(path) if path else _SHIPPED
    try:
        text = path.read_text(encoding="utf-8") if path else files(__package__).joinpath(_SHIPPED).read_text("utf-8")
        given = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"the price file {name} cannot be read: {error.strerror}; correct its name") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the price file {name} is not valid TOML: {error}") from error
    known = {one.name for one in fields(WarehousePrices)}
    if known != set(given):
        wrong = ", ".join(sorted(known ^ set(given)))
        raise SettingsError(f"the price file {name} must have the keys {', '.join(sorted(known))}; see {wrong}")
    for key, value in given.items():
        if key.startswith("usd_") and not _is_price(value):
            raise SettingsError(f"the price file {name} has {key} {value!r}; write a number of at least 0")
    return WarehousePrices(**given)


def _is_price(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
