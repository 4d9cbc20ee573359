"""A day examined: the comparisons of every subject that has a profile of it, and their findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from bnpl_features.derive.profile import ALL
from bnpl_features.derive.profiled import TRANSACTIONS, Subject
from bnpl_features.drift.calendar import SeasonalDay
from bnpl_features.drift.comparison import Comparison, compare, findings_of
from bnpl_features.drift.findings import Finding
from bnpl_features.drift.limits import Limits
from bnpl_features.drift.references import Reference, reference_in_force
from bnpl_features.drift.subjects import ALL_SUBJECTS, DIVIDED, GROUP_SUBJECTS
from bnpl_features.drift.verdict import Verdict, judge
from bnpl_features.errors import RelationMissing
from bnpl_features.warehouse.warehouse import Labels, Warehouse


@dataclass(frozen=True)
class Rules:
    """How days are examined; made from the settings by `connect.drift_rules`."""

    limits: Limits = field(default_factory=Limits)
    reference_days: int = 7
    calendar: tuple[SeasonalDay, ...] = ()


@dataclass(frozen=True)
class Examined:
    """A subject's comparisons on a day, one a segment, and all findings of them."""

    subject: Subject
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> Comparison:
        return self.comparisons[0]

    @property
    def of_all(self) -> list[Finding]:
        """Without those of segments."""
        return [one for one in self.findings if one.segment == ALL]


def examine_subject(
    warehouse: Warehouse,
    subject: Subject,
    day: date,
    rules: Rules,
    labels: Labels,
    training: Reference | None = None,
) -> Examined:
    """Raises `RelationMissing` where the subject was never profiled."""
    comparisons = compare(
        warehouse, subject, day, rules.reference_days, labels, calendar=rules.calendar, training=training
    )
    findings = [one for comparison in comparisons for one in findings_of(comparison, rules.limits)]
    return Examined(subject, tuple(comparisons), tuple(findings))


def examine_day(
    warehouse: Warehouse, day: date, rules: Rules, labels: Labels, subjects: Sequence[Subject] = ALL_SUBJECTS
) -> list[Examined]:
    """Every subject that has rows on the day; those that were never profiled are passed over."""
    training = reference_in_force(warehouse, day, labels)
    found = (_examined_if_there(warehouse, subject, day, rules, labels, training) for subject in subjects)
    return [one for one in found if one is not None and one.whole.rows]


def verdicts_of(examined: Sequence[Examined], rules: Rules) -> dict[str, Verdict]:
    """Subject -> verdict; groups are judged knowing how the purchases are. Segments have no verdict of their own."""
    upstream = next((one.of_all for one in examined if one.subject.name == TRANSACTIONS.name), [])
    groups = {subject.name for subject in GROUP_SUBJECTS}
    return {
        one.subject.name: judge(one.of_all, upstream if one.subject.name in groups else (), rules.limits)
        for one in examined
        if one.subject.name not in DIVIDED
    }


def all_findings(examined: Iterable[Examined]) -> list[Finding]:
    return [finding for one in examined for finding in one.findings]


def _examined_if_there(
    warehouse: Warehouse, subject: Subject, day: date, rules: Rules, labels: Labels, training: Reference | None
) -> Examined | None:
    try:
        return examine_subject(warehouse, subject, day, rules, labels, training)
    except RelationMissing:
        return None
