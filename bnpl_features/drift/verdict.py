"""Findings -> a verdict with its cause: did the world change, or does the pipeline look broken?

A changed world moves slowly, several features together, out of a healthy source: it warns, and asks for retraining.
A column gone constant, a burst of nulls, another unit, a category that is missing, a collapse of volume, and any leap
from one day to the next, look like a fault: they block until somebody knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bnpl_features.drift.findings import INDEX, NEAR, SIGNS, TRAINING, WEEKS, Finding, Severity
from bnpl_features.drift.limits import Limits


class Cause(StrEnum):
    NONE = "none"
    PIPELINE = "broken pipeline"
    LEAP = "leap from the days before"
    WORLD = "changed world"
    UPSTREAM = "upstream is not healthy"
    SHIFT = "moderate shift"


@dataclass(frozen=True)
class Verdict:
    """`drifted_features` has the largest movement first; `largest_index` is against the days before."""

    severity: Severity
    cause: Cause
    retraining_asked: bool
    drifted_features: tuple[str, ...]
    largest_index: float
    explanation: str


def judge(findings: Sequence[Finding], upstream: Sequence[Finding] = (), limits: Limits | None = None) -> Verdict:
    """The verdict on a subject as a whole; `upstream` are the findings about what it was computed from."""
    limits = limits or Limits()
    signs = [one for one in findings if one.measure in SIGNS and one.verdict is Severity.ERROR]
    indices = [one for one in findings if one.measure == INDEX]
    near = {one.feature: one for one in _ascending(indices) if one.reference in NEAR}
    leaps = [one for one in near.values() if one.verdict is Severity.ERROR]
    shifted = [one for one in near.values() if one.verdict is Severity.WARN]
    slow = [one for one in _slow(indices) if one.verdict is not Severity.STABLE]
    sick = [one for one in upstream if one.measure in SIGNS and one.verdict is Severity.ERROR]
    moved = [*sorted([*leaps, *shifted], key=lambda one: -one.value), *sorted(slow, key=lambda one: -one.value)]
    drifted = tuple(dict.fromkeys([*(one.feature for one in signs), *(one.feature for one in moved)]))
    is_coherent = len({one.feature for one in slow}) >= limits.coherent_features
    largest = max((one.value for one in near.values()), default=0.0)

    def verdict(severity: Severity, cause: Cause, told_by: Sequence[Finding], asks: bool = False) -> Verdict:
        explanation = "; ".join(dict.fromkeys(described(one) for one in told_by))
        return Verdict(severity, cause, asks, drifted, largest, explanation)

    if signs:
        return verdict(Severity.ERROR, Cause.PIPELINE, signs)
    if leaps:
        return verdict(Severity.ERROR, Cause.LEAP, leaps)
    if moved and sick:
        return verdict(Severity.WARN, Cause.UPSTREAM, [*sick, *moved])
    if is_coherent:
        return verdict(Severity.WARN, Cause.WORLD, slow, asks=True)
    if moved:
        return verdict(Severity.WARN, Cause.SHIFT, moved)
    return verdict(Severity.STABLE, Cause.NONE, ())


def described(finding: Finding) -> str:
    """A finding in words, for a person at night."""
    if finding.measure == INDEX:
        return f"{finding.feature} {finding.value:.2f} against {finding.reference}"
    amount = f" by {finding.value:.3g}" if finding.measure == "unit_change" else f" ({finding.value:.3g})"
    where = f"{finding.subject} {finding.feature}"
    return f"{finding.measure.replace('_', ' ')} of {where}{amount} against {finding.reference}"


def _slow(indices: Sequence[Finding]) -> list[Finding]:
    """Against what the champion was trained on; where that is not known, against the weeks before."""
    against_training = [one for one in indices if one.reference == TRAINING]
    return against_training or [one for one in indices if one.reference == WEEKS]


def _ascending(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: one.value)
