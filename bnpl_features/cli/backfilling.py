"""The command that computes features of past days, and says before what it will read."""

from __future__ import annotations

import sys
from datetime import date, datetime

import click

from bnpl_features.cli.output import acting_user, console, named_exit, print_json, print_table
from bnpl_features.cli.pipeline import BACKFILL_JOB, DAY, days_between, launch
from bnpl_features.connect.data import open_warehouse
from bnpl_features.features.catalog import GROUPS
from bnpl_features.settings import load_settings
from bnpl_features.warehouse.backfill import Cost, estimate

VECTORS = "feature_vectors"


@click.command()
@click.option("--from", "first", type=DAY, required=True, help="First day.")
@click.option("--to", "last", type=DAY, required=True, help="Last day.")
@click.option(
    "--group",
    "names",
    multiple=True,
    type=click.Choice([group.name for group in GROUPS]),
    help="Only this group, and the vectors: after a feature was added to it. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be read, and stop.")
@click.option("--yes", is_flag=True, help="Begin without asking; without a terminal nothing is asked.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print as JSON.")
def backfill(first: datetime, last: datetime, names: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> None:
    """Compute the features of a range of days in one run, without checks and without publishing: what training reads.

    Each group's days are one statement a month, which reads each purchase once; of DuckDB fewer days, as memory bids.

    \b
    Examples:
      bnpl-features backfill --from 2026-05-01 --to 2026-09-21 --dry-run
      bnpl-features backfill --from 2026-05-01 --to 2026-09-21 --group volume
    """
    days = days_between(None, first, last)
    groups = [group for group in GROUPS if not names or group.name in names]
    with named_exit():
        settings = load_settings()
        engine = open_warehouse(settings.warehouse)
        costs = estimate(engine, settings.source, groups, [date.fromisoformat(day) for day in days], {})
    if as_json and dry_run:
        print_json([vars(cost) for cost in costs])
    else:
        _show(costs, len(days))
    if dry_run:
        return
    if not yes and sys.stdin.isatty():
        click.confirm("Begin?", abort=True)
    select = [*(group.table for group in groups), VECTORS] if names else []
    code = launch(BACKFILL_JOB, days, {"user": acting_user()}, select)
    if code:
        sys.exit(code)


def _show(costs: list[Cost], days: int) -> None:
    rows = [
        (
            cost.group,
            cost.statements,
            f"{cost.purchases:,}",
            f"{cost.purchases_one_by_one:,}",
            "" if cost.bytes is None else f"{cost.bytes / 2**30:,.2f} GiB",
            "" if cost.bytes_one_by_one is None else f"{cost.bytes_one_by_one / 2**30:,.2f} GiB",
        )
        for cost in costs
    ]
    heads = ("group", "statements", "purchases read", "day by day", "bytes read", "day by day")
    print_table(f"{days} days", heads, rows)
    known = [cost.bytes for cost in costs if cost.bytes is not None]
    total = f", {sum(known) / 2**30:,.2f} GiB" if known else ""
    console.print(f"{sum(cost.purchases for cost in costs):,} purchases will be read{total}", highlight=False)
