"""A day of a subject beside its references: which days those are, and what comes of the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from bnpl_features.derive.profile import ALL
from bnpl_features.derive.profiled import Subject
from bnpl_features.drift.calendar import Season, SeasonalDay, season_of
from bnpl_features.drift.findings import (
    SEASON,
    TRAILING,
    TRAINING,
    WEEKDAY,
    WEEKS,
    Finding,
    Place,
    column_findings,
    volume_findings,
)
from bnpl_features.drift.limits import Limits
from bnpl_features.drift.profiles import Segments, Sketches, added, read_profiles
from bnpl_features.drift.references import Reference
from bnpl_features.drift.subjects import DIVIDED, FLOWS, GROUP_OF
from bnpl_features.features.segment import SEGMENT, SEGMENTS, Segment
from bnpl_features.warehouse.warehouse import Labels, Warehouse

WEEKS_BEFORE = 4
_DAYS_A_WEEK = 7


@dataclass(frozen=True)
class Side:
    """Some days together: rows of each day, and a sketch a column."""

    rows: tuple[int, ...]
    sketches: Sketches

    @property
    def mean_rows(self) -> float:
        return sum(self.rows) / len(self.rows) if self.rows else 0.0


@dataclass(frozen=True)
class Comparison:
    """One segment of a subject on a day, beside each reference that has rows; `declared` says what is particular to it,
    where it is one of the declared segments."""

    subject: Subject
    segment: str
    partition: date
    current: Side
    references: Mapping[str, Side]
    season: Season | None = None
    declared: Segment | None = None

    @property
    def has_reference(self) -> bool:
        return TRAILING in self.references

    @property
    def trailing(self) -> Side:
        return self.references.get(TRAILING, Side((), {}))

    @property
    def rows(self) -> int:
        return sum(self.current.rows)

    def null_shares(self, column: str) -> tuple[float, float]:
        """(on the day, on the days before)."""
        now, before = self.current.sketches.get(column), self.trailing.sketches.get(column)
        return (now.null_share if now else 0.0, before.null_share if before else 0.0)


def compare(
    warehouse: Warehouse,
    subject: Subject,
    partition: date,
    reference_days: int,
    labels: Labels,
    *,
    calendar: Sequence[SeasonalDay] = (),
    training: Reference | None = None,
    declared: Sequence[Segment] = SEGMENTS,
) -> list[Comparison]:
    """One comparison a segment, `all` first: with the `reference_days` days before, the weeks, the same weekdays of
    those, the day a year ago where `calendar` calls for it, and what the champion was trained on. A segment that is
    `declared` with another as its reference is compared with that one's past."""
    season = season_of(partition, calendar)
    before = max(reference_days, WEEKS_BEFORE * _DAYS_A_WEEK)
    year_before = season.year_before if season else None
    days = read_profiles(warehouse, subject, partition - timedelta(days=before), partition, labels, also=year_before)
    segments = dict.fromkeys([ALL, *(name for of_day in days.values() for name in of_day)])
    trained_on = training.subjects.get(subject.name, {}) if training else {}
    known = {f"{SEGMENT}:{one.name}": one for one in declared}
    return [
        _compared(subject, name, partition, reference_days, days, season, trained_on, known.get(name))
        for name in segments
    ]


def findings_of(comparison: Comparison, limits: Limits) -> Iterator[Finding]:
    """Everything that is measured of one comparison; limits are widened on a seasonal day."""
    if comparison.subject.name in DIVIDED and comparison.segment == ALL:
        return  # the groups themselves are profiled whole
    if comparison.declared and comparison.declared.drift_thresholds:
        warn, error = comparison.declared.drift_thresholds
        limits = replace(limits, warn=warn, error=error, by_feature={})
    limits = limits.widened(comparison.season.widen if comparison.season else 1.0)
    subject, is_flow = comparison.subject, comparison.subject.name in FLOWS
    # Purchases follow the week; without two weeks of history the days before must do.
    by_weekday = comparison.references.get(WEEKDAY)
    usual = WEEKDAY if is_flow and by_weekday and len(by_weekday.rows) > 1 else TRAILING
    if comparison.segment == ALL and usual in comparison.references:
        place = Place(subject.name, ALL, is_flow)
        yield from volume_findings(place, comparison.rows, {usual: comparison.references[usual].mean_rows}, limits)
    for column in subject.columns:
        current = comparison.current.sketches.get(column.name)
        references = {
            name: side.sketches[column.name]
            for name, side in comparison.references.items()
            # Where there is the day of a year ago, the ordinary days before are no measure.
            if column.name in side.sketches and not (name == TRAILING and SEASON in comparison.references)
        }
        if current:
            place = Place(_kept_under(subject, column.name), comparison.segment, is_flow)
            yield from column_findings(place, column, current, references, limits)


def _compared(
    subject: Subject,
    segment: str,
    partition: date,
    reference_days: int,
    days: Mapping[date, Segments],
    season: Season | None,
    trained_on: Segments,
    declared: Segment | None,
) -> Comparison:
    past = f"{SEGMENT}:{declared.drift_reference}" if declared and declared.drift_reference else segment

    def side(chosen: Sequence[date], segment: str = past) -> Side:
        there = [days[day][segment] for day in chosen if day in days and segment in days[day]]
        rows = tuple(max(sketch.row_count for sketch in sketches.values()) for sketches in there)
        return Side(rows, added(there))

    def before(count: int, step: int = 1) -> Side:
        return side([partition - timedelta(days=n * step) for n in range(count, 0, -1)])

    references = {
        TRAILING: before(reference_days),
        WEEKS: before(WEEKS_BEFORE * _DAYS_A_WEEK),
        WEEKDAY: before(WEEKS_BEFORE, _DAYS_A_WEEK),
        SEASON: side([season.year_before] if season and subject.name in FLOWS else []),
        TRAINING: Side((), trained_on.get(past, {})),
    }
    there = {name: one for name, one in references.items() if one.sketches}
    return Comparison(subject, segment, partition, side([partition], segment), there, season, declared)


def _kept_under(subject: Subject, column: str) -> str:
    """Segments of customers are those of a group's features."""
    return GROUP_OF.get(column, subject.name) if subject.name in DIVIDED else subject.name
