"""Figures -> HTML, by the templates beside this module; how numbers, times and personal data are written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from bnpl_features.catalogue.entries import Bin, Distribution
from bnpl_features.console.access.roles import Role
from bnpl_features.console.navigation import NAVIGATION
from bnpl_features.console.wording import WORDS

MASK = "••••"


def render(template: str, context: Mapping[str, Any]) -> str:
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("bnpl_features.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {one.__name__: one for one in (moment, ago, size, count, share, duration)}
    made.globals |= {"navigation": NAVIGATION, "roles": Role, **WORDS}
    made.globals |= {"personal": personal, "milliseconds": milliseconds, "bins_shared": bins_shared}
    return made


@pass_context
def personal(context: Context, value: object) -> str:
    """A value about one person: masked for whoever may not see such."""
    visit = context.get("visit")
    return str(value) if visit is not None and visit.sees_personal_data else MASK


def moment(seconds: float) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def ago(seconds: float) -> str:
    """How long ago a moment was."""
    return f"{duration(max(0.0, time.time() - seconds))} ago"


def duration(seconds: float) -> str:
    """In the largest unit of which there are two or more."""
    for name, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def size(octets: float) -> str:
    """Bytes, in binary units."""
    for name, unit in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if octets >= unit:
            return f"{octets / unit:,.1f} {name}"
    return f"{octets:,.0f} B"


def count(number: float) -> str:
    return f"{number:,.0f}"


@dataclass(frozen=True)
class SharedBin:
    label: str
    customers: int
    share: float


def bins_shared(shown: Distribution) -> list[SharedBin]:
    """A distribution's bins as shares of all customers, those without a value at the end."""
    bins = [*shown.bins, *([Bin("null", shown.nulls)] if shown.nulls else [])]
    return [SharedBin(one.label, one.customers, one.customers / max(shown.customers, 1)) for one in bins]


def milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1e3:.{0 if seconds >= 0.1 else 1 if seconds >= 0.001 else 2}f} ms"


def share(part: float) -> str:
    return f"{100 * part:.1f} %" if part < 0.9995 or part >= 1.0 else "> 99.9 %"
