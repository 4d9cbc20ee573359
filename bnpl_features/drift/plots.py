"""Drift as pictures: a heat map of the index by feature and day, and distributions before and after."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.comparison import Comparison
from bnpl_features.drift.findings import TRAILING, TRAINING, WEEKS
from bnpl_features.drift.limits import Limits
from bnpl_features.drift.sketch import Sketch

_DOTS_PER_INCH = 72
_COLUMNS = 3


def heat_map_png(indices: Mapping[date, Mapping[str, float]], limits: Limits) -> bytes:
    """A PNG: a row a feature, a column a day, white where nothing was measured; red from the error limit on."""
    import numpy as np
    from matplotlib.figure import Figure

    days = sorted(indices)
    names = list(dict.fromkeys(name for day in days for name in indices[day]))
    values = np.array([[indices[day].get(name, np.nan) for day in days] for name in names])
    figure = Figure(figsize=(4 + 0.25 * len(days), 1.5 + 0.17 * len(names)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values, aspect="auto", cmap="RdYlGn_r", vmin=0.0, vmax=limits.error, interpolation="nearest")
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xticks(range(len(days)), [day.strftime("%m-%d") for day in days], fontsize=7, rotation=90)
    axes.set_title("Stability index against the days before")
    figure.colorbar(image, ax=axes, shrink=0.6)
    return _written(figure)


def distributions_png(drifted: Sequence[tuple[Comparison, str]]) -> bytes:
    """A PNG: for each column the share of rows by bin, of the day and of the references that it moved away from."""
    from matplotlib.figure import Figure

    rows = math.ceil(len(drifted) / _COLUMNS)
    figure = Figure(figsize=(4.5 * _COLUMNS, 2.8 * rows), layout="constrained")
    places = figure.subplots(rows, _COLUMNS, squeeze=False).flatten()
    for axes, (comparison, name) in zip(places, drifted, strict=False):
        _distribution(axes, comparison, name)
    for axes in places[len(drifted) :]:
        axes.set_visible(False)
    return _written(figure)


def _distribution(axes: Any, comparison: Comparison, name: str) -> None:
    column = next(one for one in comparison.subject.columns if one.name == name)
    sides = {"the day": comparison.current.sketches[name]}
    for reference in (TRAILING, WEEKS, TRAINING):
        if reference in comparison.references and name in comparison.references[reference].sketches:
            sides[reference] = comparison.references[reference].sketches[name]
    width = 0.8 / len(sides)
    for place, (label, sketch) in enumerate(sides.items()):
        shares = _shares(sketch)
        axes.bar([n + (place - len(sides) / 2) * width for n in range(len(shares))], shares, width, label=label)
    axes.set_xticks(range(len(column.categories or column.edges) + 2), _labels(column), fontsize=6, rotation=60)
    axes.set_title(f"{comparison.subject.name}: {name}", fontsize=9)
    axes.legend(fontsize=6)


def _shares(sketch: Sketch) -> list[float]:
    """Nulls first."""
    return [rows / sketch.row_count for rows in (sketch.nulls, *sketch.histogram)]


def _labels(column: ProfiledColumn) -> list[str]:
    if column.categories:
        return ["null", *column.categories, "other"]
    return ["null", *(f"<{edge:.3g}" for edge in column.edges), "more"]


def _written(figure: Any) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return written.getvalue()
