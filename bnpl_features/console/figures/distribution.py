"""One column on one day, beside the days that it is compared with: both distributions, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bnpl_features.console.figures.bins import column_labels, held, shares
from bnpl_features.derive.profile import ALL
from bnpl_features.drift.comparison import Comparison
from bnpl_features.drift.examination import Rules, examine_subject
from bnpl_features.drift.findings import TRAILING, Finding
from bnpl_features.drift.references import reference_in_force
from bnpl_features.drift.subjects import DIVIDED, GROUP_OF, subject_named
from bnpl_features.drift.subjects import SEGMENTS as BY_SEGMENT
from bnpl_features.errors import InputError
from bnpl_features.features.segment import SEGMENT, SEGMENTS
from bnpl_features.warehouse.warehouse import Warehouse

_LABELS = {"asset": "console"}


@dataclass(frozen=True)
class Pair:
    """A bin: shares of the rows with a value, on the day and in the reference."""

    label: str
    now: float
    before: float


@dataclass(frozen=True)
class Distribution:
    """`reference` is what `before` means; `rows` and `nulls` (shares) are (day, reference). `findings` are against
    every reference, `references` those that have rows."""

    subject: str
    feature: str
    segment: str
    day: date
    reference: str
    references: tuple[str, ...]
    segments: tuple[str, ...]
    bins: tuple[Pair, ...]
    rows: tuple[int, int]
    nulls: tuple[float, float]
    findings: tuple[Finding, ...]


def distribution(
    warehouse: Warehouse,
    rules: Rules,
    subject: str,
    feature: str,
    day: date,
    *,
    segment: str = ALL,
    reference: str = TRAILING,
) -> Distribution:
    """Segments of a group's features are the declared ones of customers.

    Raises `InputError` for what is not profiled, on that day or at all, and as `Warehouse.read` does.
    """
    comparisons = _comparisons(warehouse, rules, subject, feature, day, segment)
    chosen = next((one for one, _ in comparisons if one.segment == segment), None)
    if chosen is None or feature not in chosen.current.sketches:
        raise InputError(
            f"{subject} {feature} has no profile of {day} in segment {segment}; choose another day, or compute this "
            f"one: bnpl-features run --partition {day}"
        )
    column = next(one for one in chosen.subject.columns if one.name == feature)
    now, side = chosen.current.sketches[feature], chosen.references.get(reference)
    then = side.sketches.get(feature) if side else None
    after, before = shares(now), shares(then) if then else (0.0,) * len(now.histogram)
    labels = column_labels(column)
    return Distribution(
        subject,
        feature,
        segment,
        day,
        reference,
        tuple(chosen.references),
        _segments(comparisons, feature, subject),
        tuple(Pair(labels[position], after[position], before[position]) for position in held(after, before)),
        (now.row_count, then.row_count if then else 0),
        (now.null_share, then.null_share if then else 0.0),
        tuple(one for comparison, findings in comparisons if comparison is chosen for one in findings),
    )


def _comparisons(
    warehouse: Warehouse, rules: Rules, subject: str, feature: str, day: date, segment: str
) -> list[tuple[Comparison, list[Finding]]]:
    """The subject's, and where it is a group of features, those of the customers' segments."""
    try:
        subjects = [subject_named(subject)]
    except KeyError as error:
        raise InputError(str(error.args[0])) from error
    if all(one.name != feature for one in subjects[0].columns):
        known = ", ".join(one.name for one in subjects[0].columns)
        raise InputError(f"{subject} has no {feature!r}; it has {known}")
    if GROUP_OF.get(feature) == subject and segment != ALL:
        subjects.append(BY_SEGMENT)
    training = reference_in_force(warehouse, day, _LABELS)
    found = []
    for one in subjects:
        examined = examine_subject(warehouse, one, day, rules, _LABELS, training)
        for comparison in examined.comparisons:
            if one.name in DIVIDED and comparison.segment == ALL:
                continue
            place = [f for f in examined.findings if f.segment == comparison.segment and f.feature == feature]
            found.append((comparison, place))
    return found


def _segments(comparisons: list[tuple[Comparison, list[Finding]]], feature: str, subject: str) -> tuple[str, ...]:
    """Those that may be asked for."""
    if GROUP_OF.get(feature) == subject:
        return (ALL, *(f"{SEGMENT}:{one.name}" for one in SEGMENTS))
    return tuple(one.segment for one, _ in comparisons)
