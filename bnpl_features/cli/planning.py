"""The command that says what the daily job reads and costs on BigQuery."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import click

from bnpl_features.cli.output import named_exit
from bnpl_features.cli.pipeline import DAY
from bnpl_features.connect.extras import extra
from bnpl_features.settings import load_settings

SIZES = (10_000_000, 100_000_000)
_ANY_DAY = date(2026, 3, 10)
"""The day makes no difference to what is computed."""


@click.command()
@click.option(
    "--customers", type=click.IntRange(min=1), multiple=True, help="Customers with a feature vector; may be repeated."
)
@click.option(
    "--purchases-per-customer",
    type=click.FloatRange(min=0),
    help="Of one a year, whatever their status; default: those of the sample.",
)
@click.option(
    "--kept-days",
    type=click.IntRange(min=1),
    default=365,
    show_default=True,
    help="Days of features that the warehouse keeps.",
)
@click.option(
    "--measure", "own", is_flag=True, help="Take the sample of the configured warehouse, not the shipped one."
)
@click.option("--dry-run", is_flag=True, help="Ask the configured BigQuery instead, for the warehouse as it is.")
@click.option("--day", type=DAY, help="Of --measure and --dry-run; default: yesterday.")
@click.option("--statements", "each", is_flag=True, help="Show every statement instead of the job's steps.")
@click.option(
    "--prices", type=click.Path(dir_okay=False, path_type=Path), help="A price file of your own; default: the shipped."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every statement.")
@click.option(
    "--write-reference", type=click.Path(dir_okay=False, path_type=Path), help="Renew the section on this page."
)
def plan(
    customers: tuple[int, ...],
    purchases_per_customer: float | None,
    kept_days: int,
    own: bool,
    dry_run: bool,
    day: datetime | None,
    each: bool,
    prices: Path | None,
    as_json: bool,
    write_reference: Path | None,
) -> None:
    """Compute what the daily job reads on BigQuery: bytes, slots and cost of a day, statement by statement.

    Nothing is connected to, unless --measure or --dry-run is given: bytes are computed from the columns and days that
    each statement reads, by BigQuery's rules, with a sample's lengths and nulls. Slots are an estimate. Prices are list
    prices: check them before relying on a figure.

    \b
    Examples:
      bnpl-features plan
      bnpl-features plan --customers 2000000 --purchases-per-customer 20 --measure
      bnpl-features plan --dry-run --statements
    """
    with named_exit():
        settings = load_settings()
        with extra("warehouse"):
            from bnpl_features.cli.planned import by_dry_run, computed
        when = day.date() if day else (date.today() - timedelta(days=1) if own or dry_run else _ANY_DAY)
        if dry_run:
            planned = by_dry_run(settings, when, prices)
        else:
            planned = computed(
                settings,
                when,
                prices,
                customers or SIZES,
                purchases_per_customer=purchases_per_customer,
                kept_days=kept_days,
                own=own,
            )
    if write_reference:
        with named_exit():
            planned.write(write_reference)
    elif as_json:
        planned.print_json()
    else:
        planned.print(each=each)
