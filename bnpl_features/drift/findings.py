"""What was found when a day was compared: one row a measure, and the signs of a fault among them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bnpl_features.derive.profiled import ProfiledColumn
from bnpl_features.drift.limits import Limits
from bnpl_features.drift.measures import MEASURES, index_noise
from bnpl_features.drift.sketch import Sketch

INDEX = "psi"
CONSTANT, NULL_BURST, UNIT_CHANGE, MISSING_CATEGORY, VOLUME = SIGNS = (
    "constant",
    "null_burst",
    "unit_change",
    "missing_category",
    "volume",
)
"""Measures that look like a broken pipeline, not like a changed world."""

TRAILING, WEEKDAY, WEEKS, TRAINING, SEASON = "trailing", "weekday", "weeks", "training", "season"
"""References: the days before, the same weekday, the weeks before, the champion's training data, the day a year ago."""

NEAR = (TRAILING, SEASON)
"""References that a day must resemble to be published; the others tell of slow change."""

VECTORS_FINDING, CLASSIFIER = "vectors", "domain_classifier_auc"
"""Subject and feature, and measure, of the finding about all features together."""

ROWS = "rows"
"""What a finding about a whole day's volume names in place of a feature."""


class Severity(StrEnum):
    STABLE = "stable"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One measure of one feature in one segment of a subject, against one reference, and what it means by itself."""

    subject: str
    segment: str
    feature: str
    measure: str
    value: float
    reference: str
    verdict: Severity


def severity(index: float, warn: float, error: float) -> Severity:
    if index >= error:
        return Severity.ERROR
    return Severity.WARN if index >= warn else Severity.STABLE


@dataclass(frozen=True)
class Place:
    """Where findings belong. A flow's days are separate rows (purchases, predictions), not the same customers again."""

    subject: str
    segment: str
    is_flow: bool = False


def column_findings(
    place: Place, column: ProfiledColumn, current: Sketch, references: Mapping[str, Sketch], limits: Limits
) -> Iterator[Finding]:
    """Every measure against every reference, and the signs of a fault."""
    for name, reference in references.items():
        values = {measure: of(reference, current, column) for measure, of in MEASURES.items()}
        is_judged = min(reference.row_count, current.row_count) >= limits.fewest_rows
        for measure, value in values.items():
            found = _severity(place, column, measure, value, name, limits) if is_judged else Severity.STABLE
            if place.is_flow and measure == INDEX and value < index_noise(reference.bins, current.bins):
                found = Severity.STABLE
            yield Finding(place.subject, place.segment, column.name, measure, value, name, found)
        if is_judged:
            for sign, value in _signs(column, reference, current, values[INDEX], limits):
                yield Finding(place.subject, place.segment, column.name, sign, value, name, Severity.ERROR)


def volume_findings(place: Place, rows: int, usual: Mapping[str, float], limits: Limits) -> Iterator[Finding]:
    """Rows of the day as a share of the mean of each reference."""
    for name, mean in usual.items():
        if mean >= limits.fewest_rows:
            found = Severity.ERROR if rows < limits.collapse * mean else Severity.STABLE
            yield Finding(place.subject, place.segment, ROWS, VOLUME, rows / mean, name, found)


def vectors_finding(area: float, limits: Limits) -> Finding:
    """Of the classifier that tells a day from another by all features."""
    found = Severity.WARN if area >= limits.classifier else Severity.STABLE
    return Finding(VECTORS_FINDING, "all", VECTORS_FINDING, CLASSIFIER, area, TRAILING, found)


def _severity(
    place: Place, column: ProfiledColumn, measure: str, value: float, reference: str, limits: Limits
) -> Severity:
    if measure != INDEX:
        return Severity.WARN if abs(value) >= getattr(limits, measure) else Severity.STABLE
    warn, error = limits.of(column.name)
    if reference not in NEAR:
        if column.ages:
            return Severity.STABLE
        return Severity.WARN if value >= max(limits.retrain, warn) else Severity.STABLE
    found = severity(value, warn, error)
    return Severity.WARN if place.is_flow and found is Severity.ERROR else found


def _signs(
    column: ProfiledColumn, reference: Sketch, current: Sketch, index: float, limits: Limits
) -> Iterator[tuple[str, float]]:
    burst = current.null_share - reference.null_share
    if burst >= limits.null_burst:
        yield NULL_BURST, burst
    # A feature that may move by thresholds of its own may also move like this.
    has_moved = index >= limits.of(column.name)[1]
    if current.is_constant and not reference.is_constant and has_moved:
        yield CONSTANT, 1.0
    factor = _common_factor(column, reference, current) if column.is_scaled and has_moved else 1.0
    if max(factor, 1 / factor) >= limits.unit_change:
        yield UNIT_CHANGE, factor
    for bin_share, rows in zip(reference.histogram, current.histogram, strict=True):
        share = bin_share / reference.present if reference.present else 0.0
        expected = share * current.present
        # Fifteen rows expected and none found: not by chance.
        if column.categories and share >= limits.missing_share and expected >= 15 and not rows:
            yield MISSING_CATEGORY, share


def _common_factor(column: ProfiledColumn, reference: Sketch, current: Sketch) -> float:
    """The factor nearest 1 among the three by which the quartiles moved; 1 where they moved in different ways."""
    ratios = []
    for share in (0.25, 0.5, 0.75):
        before, now = reference.quantile(share, column), current.quantile(share, column)
        if not before or not now or before < 0 or now < 0:
            return 1.0
        ratios.append(now / before)
    if not (all(ratio > 1 for ratio in ratios) or all(ratio < 1 for ratio in ratios)):
        return 1.0
    return min(ratios, key=lambda ratio: abs(math.log(ratio)))
