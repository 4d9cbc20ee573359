"""How features moved: the heat map of features by day, and one distribution before and after."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from starlette.responses import Response

from bnpl_features.connect.models import drift_rules
from bnpl_features.console.figures.chart import Chart
from bnpl_features.console.figures.distribution import Distribution, distribution
from bnpl_features.console.figures.drift import HeatMap, heat_map, index_chart, newest_findings
from bnpl_features.console.figures.panel import panel
from bnpl_features.console.visit import Visit
from bnpl_features.derive.profile import ALL
from bnpl_features.drift.findings import SEASON, TRAILING, TRAINING, WEEKDAY, WEEKS
from bnpl_features.drift.subjects import ALL_SUBJECTS, DIVIDED
from bnpl_features.errors import InputError

REFERENCES = {
    TRAILING: "the days before",
    WEEKDAY: "the same weekday",
    WEEKS: "the four weeks before",
    TRAINING: "the champion's training data",
    SEASON: "the day a year ago",
}
SPANS = (7, 14, 28, 90)
_SPAN = 14
_HISTORY_DAYS = 90
_SUBJECTS = tuple(subject.name for subject in ALL_SUBJECTS if subject.name not in DIVIDED)


def drift_page(visit: Visit) -> Response:
    query = visit.request.query_params
    subject, reference = query.get("subject", ""), query.get("reference", TRAILING)
    days = int(query["days"]) if query.get("days", "") in map(str, SPANS) else _SPAN
    moved_only = "moved" in query
    asked = {"subject": subject, "reference": reference, "days": days, "moved": moved_only}
    choices: dict[str, Any] = {"subjects": _SUBJECTS, "references": REFERENCES, "spans": SPANS}

    def read() -> HeatMap:
        _require(subject in ("", *_SUBJECTS), f"nothing called {subject} is profiled", _SUBJECTS)
        _require(reference in REFERENCES, f"{reference} is no reference", REFERENCES)
        return heat_map(visit.parts.warehouse(), None, days, subject, reference)

    return visit.page("drift.html", found=panel(read), asked=asked, **choices)


def distribution_page(visit: Visit) -> Response:
    query = visit.request.query_params
    subject, feature = query.get("subject", ""), query.get("feature", "")
    segment, reference = query.get("segment", ALL), query.get("reference", TRAILING)

    def read() -> Distribution:
        _require(reference in REFERENCES, f"{reference} is no reference", REFERENCES)
        warehouse = visit.parts.warehouse()
        day = _day(query.get("day", "")) or newest_findings(warehouse)
        if day is None:
            raise InputError("no day was examined yet; compute one: bnpl-features run")
        rules = drift_rules(visit.parts.settings)
        return distribution(warehouse, rules, subject, feature, day, segment=segment, reference=reference)

    def history() -> Chart | None:
        last = found.value.day if found.value else None
        warn, _ = drift_rules(visit.parts.settings).limits.of(feature)
        of_days = heat_map(visit.parts.warehouse(), last, _HISTORY_DAYS, subject)
        return index_chart(of_days, subject, feature, warn)

    found = panel(read)
    asked = {"subject": subject, "feature": feature, "segment": segment, "reference": reference}
    chart = panel(history).value if found.value else None
    return visit.page("distribution.html", found=found, chart=chart, asked=asked, references=REFERENCES)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError(f"{text!r} is no day; write it as 2026-11-25") from error


def _require(holds: bool, what: str, choices: Iterable[str]) -> None:
    if not holds:
        raise InputError(f"{what}; choose one of {', '.join(choices)}")
