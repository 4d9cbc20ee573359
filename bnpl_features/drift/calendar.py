"""Days that are known to be unlike others: which they are, for how long, and how much wider limits are meanwhile."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bnpl_features.errors import SettingsError

_SHIPPED = Path(__file__).with_name("calendar.toml")
_WEEK = 7


@dataclass(frozen=True)
class SeasonalDay:
    """`month` with either `day`, or the `nth` `weekday` (Monday is 0); `plus_days` moves it. The day and the
    `lasts_days` - 1 days after it have limits `widen` times as wide."""

    name: str
    month: int
    day: int = 0
    weekday: int = 0
    nth: int = 0
    plus_days: int = 0
    lasts_days: int = 1
    widen: float = 2.0

    def of_year(self, year: int) -> date:
        first = date(year, self.month, 1)
        if self.day:
            found = first + timedelta(days=self.day - 1)
        else:
            found = first + timedelta(days=(self.weekday - first.weekday()) % _WEEK + _WEEK * (self.nth - 1))
        return found + timedelta(days=self.plus_days)


@dataclass(frozen=True)
class Season:
    """A date inside a seasonal day's influence; `year_before` is the date at the same place a year earlier."""

    name: str
    widen: float
    year_before: date


def season_of(day: date, calendar: Sequence[SeasonalDay]) -> Season | None:
    """The seasonal day that widens limits most on `day`; None on an ordinary day."""
    found = []
    for one in calendar:
        for year in (day.year - 1, day.year):
            place = (day - one.of_year(year)).days
            if 0 <= place < one.lasts_days:
                found.append(Season(one.name, one.widen, one.of_year(year - 1) + timedelta(days=place)))
    return max(found, key=lambda season: season.widen) if found else None


@cache
def read_calendar(file: str = "") -> tuple[SeasonalDay, ...]:
    """The shipped calendar, or one's own file of the same form; raises `SettingsError`."""
    path = Path(file).expanduser() if file else _SHIPPED
    try:
        days: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("day", [])
        calendar = tuple(SeasonalDay(**day) for day in days)
        for one in calendar:
            one.of_year(2024)
    except (OSError, tomllib.TOMLDecodeError, TypeError, ValueError, AttributeError) as error:
        raise SettingsError(
            f"the calendar {path} cannot be used: {error}; write it like bnpl_features/drift/calendar.toml"
        ) from error
    return calendar
