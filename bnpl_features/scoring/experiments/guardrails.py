"""When an experiment is stopped without asking: harm that holds at any look, or a split that is not as meant."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.scoring.experiments.analysis import Report

MISMATCH = 1_000.0
"""Evidence from which the split is wrong beyond doubt: once in a thousand experiments by chance, however long."""


@dataclass(frozen=True)
class Guardrails:
    """How much worse than the control an arm may be, as differences of shares."""

    most_defaults: float = 0.01
    fewest_approvals: float = -0.10


def harm_of(report: Report, guardrails: Guardrails) -> tuple[str, ...]:
    """What is wrong, in words; empty where the experiment may go on. Only what the whole interval says counts."""
    found = []
    if report.evidence >= MISMATCH:
        found.append(f"the split of customers is not the intended one (evidence {report.evidence:.3g} against it)")
    for one in report.comparisons:
        if one.defaults.low > guardrails.most_defaults:
            found.append(
                f"arm {one.arm} has more defaults a purchase scored than the control: {one.defaults}, "
                f"at most {guardrails.most_defaults:+g} is allowed"
            )
        if one.approval.high < guardrails.fewest_approvals:
            found.append(
                f"arm {one.arm} approves fewer than the control: {one.approval}, "
                f"at least {guardrails.fewest_approvals:+g} is allowed"
            )
    return tuple(found)
