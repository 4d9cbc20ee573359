"""Seasonal days fall on the right dates, and last as long as they say."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from bnpl_features.drift.calendar import read_calendar, season_of
from bnpl_features.drift.limits import Limits
from bnpl_features.errors import SettingsError


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2024, 11, 29), "Black Friday"),
        (date(2025, 11, 28), "Black Friday"),
        (date(2026, 11, 27), "Black Friday"),
        (date(2026, 11, 30), "Cyber Monday"),
        (date(2026, 12, 6), "Cyber Monday"),
        (date(2026, 12, 26), "Christmas"),
        (date(2027, 1, 1), "New Year's Day"),
    ],
)
def test_a_day_falls_into_its_season(day: date, name: str) -> None:
    season = season_of(day, read_calendar())

    assert season is not None
    assert season.name == name


@pytest.mark.parametrize("day", [date(2026, 12, 7), date(2026, 10, 5), date(2027, 1, 2), date(2026, 11, 25)])
def test_other_days_are_ordinary(day: date) -> None:
    assert season_of(day, read_calendar()) is None


def test_the_year_before_is_the_same_place_in_the_season_not_the_same_date() -> None:
    season = season_of(date(2025, 11, 28) + timedelta(days=1), read_calendar())

    assert season is not None
    assert season.year_before == date(2024, 11, 30)


def test_limits_widen_but_signs_of_a_fault_stay() -> None:
    limits = Limits(by_feature={"amount": (0.2, 0.4)})

    wider = limits.widened(2.0)

    assert (wider.warn, wider.error, wider.of("amount")) == (0.2, 0.5, (0.4, 0.8))
    assert wider.collapse == limits.collapse / 2
    assert (wider.unit_change, wider.null_burst, wider.missing_share) == (5.0, 0.2, 0.02)


def test_a_calendar_of_ones_own_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "calendar.toml"
    file.write_text('[[day]]\nname = "Singles Day"\nmonth = 11\nday = 11\n')

    season = season_of(date(2026, 11, 11), read_calendar(str(file)))

    assert season is not None
    assert season.name == "Singles Day"
    assert season_of(date(2026, 11, 27), read_calendar(str(file))) is None


@pytest.mark.parametrize("text", ["[[day]]\nname = 1\n", "day = 3", "[[day", '[[day]]\nname="x"\nmonth=13\nday=1\n'])
def test_a_calendar_that_cannot_be_used_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=r"bad\.toml cannot be used"):
        read_calendar(str(file))
