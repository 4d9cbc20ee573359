"""The forms that features commonly take, so that a declaration states only what is its own."""

from __future__ import annotations

from bnpl_features.features.feature import FIRST_RELEASE, MONTH, Feature, Kind, Window
from bnpl_features.features.storage import Storage, exact, linear

SHARE = linear(0.0, 1.0, width_bytes=1)


def count(
    name: str,
    meaning: str,
    sql: str,
    *,
    unit: str = "count",
    window: Window = MONTH,
    width_bytes: int = 1,
    upper: float | None = None,
    risk_direction: int = 0,
    since: str = FIRST_RELEASE,
) -> Feature:
    """A whole number that is 0 where the window is empty, and for a customer without history."""
    return Feature(
        name=name,
        meaning=meaning,
        unit=unit,
        kind=Kind.COUNT,
        window=window,
        sql=sql,
        storage=exact(width_bytes=width_bytes),
        upper=upper,
        nullable=False,
        empty=0,
        default=0,
        risk_direction=risk_direction,
        since=since,
    )


def days(
    name: str,
    meaning: str,
    sql: str,
    *,
    window: Window,
    default: int | None,
    risk_direction: int = 0,
    since: str = FIRST_RELEASE,
    ages: bool = False,
) -> Feature:
    """An age in days, inside `window`; null where there is nothing to count from, unless it has a default."""
    return Feature(
        name=name,
        meaning=meaning,
        unit="days",
        kind=Kind.COUNT,
        window=window,
        sql=sql,
        storage=exact(width_bytes=2),
        upper=window.days - 1,
        nullable=default is None,
        default=default,
        risk_direction=risk_direction,
        since=since,
        ages=ages,
    )


def share(name: str, meaning: str, sql: str, *, risk_direction: int = 0, since: str = FIRST_RELEASE) -> Feature:
    """A number in [0, 1] of the purchases of 30 days; null where there are none."""
    return number(name, meaning, "share", sql, SHARE, upper=1.0, risk_direction=risk_direction, since=since)


def number(
    name: str,
    meaning: str,
    unit: str,
    sql: str,
    storage: Storage,
    *,
    window: Window = MONTH,
    lower: float | None = 0.0,
    upper: float | None = None,
    empty: float | None = None,
    risk_direction: int = 0,
    since: str = FIRST_RELEASE,
) -> Feature:
    """A real number; null where the window is empty, unless `empty` says what it is then."""
    return Feature(
        name=name,
        meaning=meaning,
        unit=unit,
        kind=Kind.NUMBER,
        window=window,
        sql=sql,
        storage=storage,
        lower=lower,
        upper=upper,
        nullable=empty is None,
        empty=empty,
        default=empty,
        risk_direction=risk_direction,
        since=since,
    )
