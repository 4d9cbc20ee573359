"""How experiments are shown: as tables, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bnpl_features.cli.output import console, print_table

if TYPE_CHECKING:
    from bnpl_features.scoring.experiments.analysis import Report
    from bnpl_features.scoring.experiments.definition import Experiment


def print_report(name: str, made: Report) -> None:
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
        for arm in made.arms
    ]
    columns = ("arm", "customers", "purchases", "mature", "approval rate", "default rate, approved", "precision")
    print_table(f"Experiment {name}", columns, rows)
    compared = [(one.arm, one.approval, one.defaults) for one in made.comparisons]
    print_table("Less the control, valid at any look", ("arm", "approval", "defaults a purchase scored"), compared)
    console.print(f"evidence against the split {made.evidence:.3g}; {made.left_out} customers changed their arm")


def described(one: Experiment) -> dict[str, Any]:
    import msgspec

    described: dict[str, Any] = msgspec.to_builtins(one)
    described.pop("allocation")
    return described | {"shares": one.shares}
