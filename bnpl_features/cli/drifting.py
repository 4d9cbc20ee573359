"""Commands that show what moved, and set what it is measured by."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import click

from bnpl_features.cli.output import console, named_exit, print_json, print_table
from bnpl_features.cli.purchases import yesterday
from bnpl_features.connect.data import open_warehouse
from bnpl_features.connect.models import champion_training, drift_rules
from bnpl_features.errors import InputError
from bnpl_features.settings import load_settings

if TYPE_CHECKING:
    from bnpl_features.drift.examination import Examined, Rules
    from bnpl_features.drift.findings import Finding
    from bnpl_features.drift.verdict import Verdict

_DAY = click.DateTime(["%Y-%m-%d"])
_ASKED_BY = {"asset": "drift"}


@click.command()
@click.option("--day", type=_DAY, help="The partition (default: yesterday, UTC).")
@click.option("--group", "name", help="Only this: a feature group, transactions, predictions, outcomes.")
@click.option("--segments", is_flag=True, help="Also findings about segments.")
@click.option("--all", "everything", is_flag=True, help="Also what is stable.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def drift(day: datetime | None, name: str | None, segments: bool, everything: bool, as_json: bool) -> None:
    """Compare a day's profiles with their references: verdicts, and what led to them.

    Example: bnpl-features drift --day 2026-11-20 --group volume
    """
    from bnpl_features.derive.profiled import TRANSACTIONS
    from bnpl_features.drift.examination import examine_day
    from bnpl_features.drift.findings import Severity
    from bnpl_features.drift.subjects import ALL_SUBJECTS, SEGMENTS, VECTORS

    chosen = day.date() if day else yesterday()
    with named_exit():
        settings = load_settings()
        rules = drift_rules(settings)
        known = [subject.name for subject in ALL_SUBJECTS]
        if name and name not in known:
            raise InputError(f"nothing called {name!r} is profiled; choose one of {', '.join(known)}")
        # Groups are judged knowing the purchases, and their segments are profiled with the vectors.
        always = (TRANSACTIONS, VECTORS, SEGMENTS)
        subjects = [one for one in ALL_SUBJECTS if not name or one.name == name or one in always]
        examined = examine_day(open_warehouse(settings.warehouse), chosen, rules, _ASKED_BY, subjects)
    verdicts = _verdicts(examined, rules, name)
    findings = [
        one
        for part in examined
        for one in part.findings
        if (not name or one.subject == name)
        and (segments or one.segment == "all")
        and (everything or one.verdict is not Severity.STABLE)
    ]
    if as_json:
        print_json(
            {
                "day": chosen,
                "verdicts": {subject: one.__dict__ for subject, one in verdicts.items()},
                "findings": [one.__dict__ for one in findings],
            }
        )
        return
    if not verdicts:
        console.print(f"no profiles of {chosen}; compute the day first: bnpl-features run --partition {chosen}")
        return
    _print(chosen, verdicts, findings)


@click.command("drift-reference")
@click.option("--from", "first", type=_DAY, help="First day (default: those that trained the champion).")
@click.option("--to", "last", type=_DAY, help="Last day.")
@click.option("--set-on", type=_DAY, help="The day from which on it counts (default: yesterday, UTC).")
def drift_reference(first: datetime | None, last: datetime | None, set_on: datetime | None) -> None:
    """Make some days the reference for slow drift: by default those that the behavioural champion was trained on.

    Example: bnpl-features drift-reference --from 2026-06-01 --to 2026-09-28
    """
    from bnpl_features.drift.references import set_reference

    with named_exit():
        settings = load_settings()
        if (first is None) != (last is None):
            raise InputError("give both --from and --to, or neither for the days that trained the champion")
        if first and last:
            days, model = (first.date(), last.date()), "chosen days"
        else:
            days, model = champion_training(settings.model)
        in_force: date = set_on.date() if set_on else yesterday()
        warehouse = open_warehouse(settings.warehouse)
        rows = set_reference(warehouse, *days, set_on=in_force, model=model, labels=_ASKED_BY)
    console.print(f"reference from {in_force} on: {days[0]} to {days[1]} ({model}), {rows:,} sketches")


def _print(day: date, verdicts: dict[str, Verdict], findings: list[Finding]) -> None:
    rows = [
        (
            subject,
            one.severity.value,
            one.cause.value,
            "asked" if one.retraining_asked else "",
            f"{one.largest_index:.3f}",
            ", ".join(one.drifted_features[:4]),
        )
        for subject, one in verdicts.items()
    ]
    print_table(f"Drift on {day}", ("subject", "verdict", "cause", "retraining", "largest index", "drifted"), rows)
    if findings:
        ordered = sorted(findings, key=lambda one: (one.subject, one.segment, one.feature, one.measure))
        details = [
            (one.subject, one.segment, one.feature, one.measure, f"{one.value:.4g}", one.reference, one.verdict.value)
            for one in ordered
        ]
        columns = ("subject", "segment", "feature", "measure", "value", "against", "verdict")
        print_table("Findings", columns, details)


def _verdicts(examined: list[Examined], rules: Rules, name: str | None) -> dict[str, Verdict]:
    from bnpl_features.drift.examination import verdicts_of

    return {subject: one for subject, one in verdicts_of(examined, rules).items() if not name or subject == name}
