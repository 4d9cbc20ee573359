"""The command that says what the daily job reads and costs on BigQuery."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bnpl_features.cli.output import console, named_exit, print_json, print_table
from bnpl_features.cli.pipeline import DAY
from bnpl_features.connect.data import open_warehouse
from bnpl_features.connect.extras import extra
from bnpl_features.derive.query import Query
from bnpl_features.errors import InputError, RelationMissing
from bnpl_features.settings import Settings, load_settings
from bnpl_features.warehouse.warehouse import Warehouse

with extra("warehouse"):
    from bnpl_features.plan.daily import Job, daily_statements, tables
    from bnpl_features.plan.planning import Plan, plan_by_dry_run, plan_computed, reads_of
    from bnpl_features.plan.prices import WarehousePrices, load_warehouse_prices
    from bnpl_features.plan.report import STATEMENTS, STEPS, page_section, statement_rows, step_rows, totals
    from bnpl_features.plan.sample import measure, shipped_sample
    from bnpl_features.plan.sizes import Size

SIZES = (10_000_000, 100_000_000)
BEGIN, END = "<!-- plan: written by `make docs` -->\n", "<!-- end of plan -->\n"
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
        price_list, settings = load_warehouse_prices(prices), load_settings()
        when = day.date() if day else (date.today() - timedelta(days=1) if own or dry_run else _ANY_DAY)
        if dry_run:
            plans = [_dry(settings, when, price_list)]
            source = "dry runs"
        else:
            sample = timed = shipped_sample()
            if own:
                sample = measure(open_warehouse(settings.warehouse), settings.source, when, tables(), {})
            asked = daily_statements(_job(settings, when))
            reads, source = reads_of(asked, when), sample.source
            each_year = sample.purchases_per_customer if purchases_per_customer is None else purchases_per_customer
            plans = [
                plan_computed(asked, reads, Size(count, each_year), sample, price_list, kept_days, timed)
                for count in customers or SIZES
            ]
    if write_reference:
        before, _, rest = write_reference.read_text().partition(BEGIN)
        section = page_section(plans, price_list, source)
        write_reference.write_text(before + BEGIN + section + END + rest.partition(END)[2])
    elif as_json:
        print_json([_as_json(one, price_list) | {"sample": source} for one in plans])
    else:
        _print(plans, price_list, source, each=each)


def _job(settings: Settings, day: date) -> Job:
    """With canonical columns: a mapped source reads as many bytes under names of its own."""
    return Job(day, reference_days=settings.checks.reference_days, maturity_days=settings.model.maturity_days)


def _dry(settings: Settings, day: date, prices: WarehousePrices) -> Plan:
    engine = open_warehouse(settings.warehouse)
    _bytes(engine, Query("SELECT 1"))
    canonical = daily_statements(_job(settings, day))
    columns = engine.columns(settings.source.relation)
    job = Job(day, settings.source, settings.checks.reference_days, settings.model.maturity_days, columns)
    return plan_by_dry_run(daily_statements(job), reads_of(canonical, day), lambda query: _bytes(engine, query), prices)


def _bytes(engine: Warehouse, query: Query) -> int:
    """None of tables that are not there yet; raises `InputError` for an engine without dry runs."""
    try:
        found = engine.estimate_bytes(query)
    except RelationMissing:
        return 0
    if found is None:
        raise InputError(f"{engine.name} has no dry runs; leave out --dry-run, or set BNPL_WAREHOUSE=bigquery")
    return found


def _as_json(one: Plan, prices: WarehousePrices) -> dict[str, Any]:
    return asdict(one) | {"totals": totals(one, prices), "prices_as_of": prices.as_of}


def _print(plans: list[Plan], prices: WarehousePrices, source: str, *, each: bool) -> None:
    for one in plans:
        size = one.size
        title = (
            f"A day of {size.customers:,} customers, {size.purchases_per_customer:.1f} purchases each a year; computed"
            if size
            else "A day of the warehouse as it is; by dry runs"
        )
        print_table(title, STATEMENTS if each else STEPS, statement_rows(one) if each else step_rows(one))
        for name, value in totals(one, prices).items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    console.print(
        f"Sample: {source}. List prices as of {prices.as_of}, {prices.region}: check before use.",
        highlight=False,
        soft_wrap=True,
    )
