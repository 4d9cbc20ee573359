"""Commands that show how features moved over days, and how one is distributed before and after."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from bnpl_features.cli.output import console, named_exit, print_json, print_table
from bnpl_features.cli.purchases import yesterday
from bnpl_features.connect.data import open_warehouse
from bnpl_features.connect.models import drift_rules
from bnpl_features.settings import load_settings

if TYPE_CHECKING:
    from bnpl_features.console.figures.distribution import Distribution
    from bnpl_features.console.figures.drift import Cell, HeatMap

_DAY = click.DateTime(["%Y-%m-%d"])
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_MARKS = {"stable": "", "warn": "!", "error": "!!"}
_WIDEST = 14
_BAR_WIDTH = 30


@click.command(name="drift-map")
@click.option("--to", "last", type=_DAY, help="Last day (default: the newest that was examined).")
@click.option("--days", type=click.IntRange(1, 366), default=_WIDEST, show_default=True, help="How many days.")
@click.option("--group", "subject", default="", help="Only this: a feature group, transactions, predictions, outcomes.")
@click.option("--all", "everything", is_flag=True, help="Also what is stable.")
@_JSON
def drift_map(last: datetime | None, days: int, subject: str, everything: bool, as_json: bool) -> None:
    """Show stability indices by feature and day, as the daily report found them: ! warns, !! is an error.

    Example: bnpl-features drift-map --days 7
    """
    from bnpl_features.console.figures.drift import heat_map

    with named_exit():
        settings = load_settings()
        found = heat_map(open_warehouse(settings.warehouse), last.date() if last else None, days, subject)
    if as_json:
        print_json(asdict(found))
        return
    if not found.days:
        console.print("no day was examined yet; the asset drift_report does it: bnpl-features run --partition DAY")
        return
    _print_map(found, everything)


@click.command(name="drift-distribution")
@click.argument("subject")
@click.argument("feature")
@click.option("--day", type=_DAY, help="The partition (default: yesterday, UTC).")
@click.option("--segment", default="all", show_default=True, help="A segment, such as segment:at_risk.")
@click.option(
    "--reference",
    type=click.Choice(["trailing", "weekday", "weeks", "training", "season"]),
    default="trailing",
    show_default=True,
    help="With what it is compared.",
)
@_JSON
def drift_distribution(
    subject: str, feature: str, day: datetime | None, segment: str, reference: str, as_json: bool
) -> None:
    """Show how a feature was distributed on a day, beside the days before; SUBJECT is its group.

    Example: bnpl-features drift-distribution volume txn_count_30d --day 2026-11-20
    """
    from bnpl_features.console.figures.distribution import distribution

    with named_exit():
        settings = load_settings()
        found = distribution(
            open_warehouse(settings.warehouse),
            drift_rules(settings),
            subject,
            feature,
            day.date() if day else yesterday(),
            segment=segment,
            reference=reference,
        )
    if as_json:
        print_json(asdict(found))
        return
    _print_distribution(found)


def _print_map(found: HeatMap, everything: bool) -> None:
    rows = found.rows if everything else found.moved
    columns = ("subject", "feature", *(f"{day:%m-%d}" for day in found.days))
    title = f"Stability index against the days before, {found.days[0]} to {found.days[-1]}"
    print_table(title, columns, [(one.subject, one.feature, *map(_cell, one.cells)) for one in rows])
    if not rows:
        console.print(f"nothing moved in {len(found.days)} days; --all shows what is stable")


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"{'' if cell.index is None else f'{cell.index:.2f}'}{_MARKS[cell.verdict]}"


def _print_distribution(found: Distribution) -> None:
    title = f"{found.subject} {found.feature} on {found.day}, segment {found.segment}"
    most = max((max(one.now, one.before) for one in found.bins), default=0.0) or 1.0
    rows = [
        (one.label, f"{one.now:.1%}", "█" * round(_BAR_WIDTH * one.now / most), f"{one.before:.1%}")
        for one in found.bins
    ]
    print_table(title, ("value", "that day", "", found.reference), rows)
    console.print(
        f"rows {found.rows[0]:,} against {found.rows[1]:,}; without a value {found.nulls[0]:.1%} against "
        f"{found.nulls[1]:.1%}"
    )
    measured = [(one.measure, f"{one.value:.4g}", one.reference, one.verdict.value) for one in found.findings]
    print_table("Measures", ("measure", "value", "against", "verdict"), measured)
