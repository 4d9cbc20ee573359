"""Experiments as tables for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bnpl_features.cli.output import console, moment, print_table

if TYPE_CHECKING:
    from bnpl_features.console.figures.experiments import ExperimentFigure, Outcome


def print_experiments(found: Iterable[ExperimentFigure]) -> None:
    rows = [
        (
            one.name,
            one.state,
            moment(one.started_at),
            ", ".join(f"{arm} {share:.2%}" for arm, share in one.shares.items()),
            ", ".join(arm.name for arm in one.arms if arm.is_shadow),
            one.stopped_because or one.reason,
        )
        for one in found
    ]
    print_table("Experiments", ("name", "state", "started (UTC)", "shares", "shadows", "why"), rows)


def print_outcome(made: Outcome) -> None:
    rows = [
        (
            arm.arm + (" (shadow)" if arm.is_shadow else ""),
            f"{arm.customers:,}",
            f"{arm.purchases:,}",
            f"{arm.matured:,}",
            arm.approval_rate,
            arm.default_rate,
            arm.precision,
        )
        for arm in made.report.arms
    ]
    columns = ("arm", "customers", "purchases", "mature", "approval rate", "default rate, approved", "precision")
    print_table(f"Experiment {made.experiment}", columns, rows)
    compared = [(one.arm, one.approval, one.defaults) for one in made.report.comparisons]
    print_table("Less the control, valid at any look", ("arm", "approval", "defaults a purchase scored"), compared)
    evidence, moved = made.report.evidence, made.report.left_out
    console.print(f"evidence against the split {evidence:.3g}; {moved} customers changed their arm")
    console.print("; ".join(made.harm) if made.harm else "no guardrail is touched")
