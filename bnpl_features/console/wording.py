"""How figures are written where a number needs more than a format: features' values, probabilities, indices, rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any

from bnpl_features.console.figures.customer import FeatureFigure
from bnpl_features.console.figures.drift import Cell
from bnpl_features.console.figures.models import lower_is_better
from bnpl_features.console.figures.population import Standing
from bnpl_features.features.feature import Value

HEAT = (0.02, 0.05, 0.1, 0.25)
"""Where one shade of the heat map ends; the last two are the usual bounds of a warning and an error."""

_SIGNS = {"stable": "", "warn": "\u202f!", "error": "\u202f✕"}
_UNITS = {"USD": "USD", "days": "d", "hours": "h", "seconds": "s"}


def value(given: Value) -> str:
    """A feature's value; null is a dash."""
    if given is None:
        return "–"
    if isinstance(given, str):
        return given.replace("_", " ")
    if given == int(given):
        return f"{given:,.0f}"
    if abs(given) < 0.0005:
        return "about 0"
    return f"{given:,.2f}" if abs(given) >= 10 else f"{given:.3g}"


def signed(given: float) -> str:
    """A difference; one too small to tell is none."""
    written = value(abs(given))
    return "" if written == "about 0" else f"{'+' if given > 0 else '−'}{written}"


def unit(given: str) -> str:
    """A short unit; none where the number speaks for itself."""
    return _UNITS.get(given, "")


def probability(given: float | None) -> str:
    return "–" if given is None else f"{100 * given:.2f} %"


def metric(given: float, digits: int = 3) -> str:
    """A metric; what cannot be said is a dash."""
    return f"{given:.{digits}g}" if math.isfinite(given) else "–"


def rate(given: float, *, sign: bool = False) -> str:
    """A share in percent, or a difference of shares in points."""
    if not math.isfinite(given):
        return "–" if math.isnan(given) else "∞" if given > 0 else "−∞"
    return f"{100 * given:{'+' if sign else ''}.2f} %".replace("-", "−")


def spark_said(feature: FeatureFigure, standing: Standing) -> str:
    """What the drawing of a feature's distribution shows."""
    if standing.own is None:
        return f"{feature.name}: no value"
    own = standing.bins[standing.own]
    return f"{feature.name}: in the bin {own.label}, with {own.share:.1%} of the customers"


def heat(index: float | None) -> int:
    """The shade of a stability index, from 0; of none as well."""
    return 0 if index is None else sum(index >= bound for bound in HEAT)


def heat_legend() -> list[tuple[int, str]]:
    marks = [f"{bound:g}" for bound in HEAT]
    words = [f"under {marks[0]}", *(f"{low} to {high}" for low, high in pairwise(marks))]
    return list(enumerate([*words, f"from {marks[-1]}"]))


def cell_text(cell: Cell) -> str:
    index = "" if cell.index is None else f"{cell.index:.2f}"
    return f"{index}{_SIGNS[cell.verdict]}".strip()


def grouped(found: Iterable[Any], by: str = "group") -> list[tuple[str, list[Any]]]:
    """Neighbours with the same attribute together, in the order given."""
    return [(name, list(members)) for name, members in groupby(found, attrgetter(by))]


def span(intervals: Iterable[Any]) -> tuple[float, float]:
    """The least and the greatest end of what can be said, for one scale."""
    ends = [end for one in intervals for end in (one.low, one.high, one.value) if math.isfinite(end)]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


_WORDS = (value, signed, unit, probability, metric, rate, span, lower_is_better)
_DRAWN = (spark_said, heat, heat_legend, cell_text, grouped)

WORDS: Mapping[str, Callable[..., Any]] = {word.__name__: word for word in (*_WORDS, *_DRAWN)}
"""For the templates, by name."""
