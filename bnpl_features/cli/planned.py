"""What `bnpl-features plan` makes and shows: in a module of its own, since it needs the extra `warehouse`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from bnpl_features.cli.output import console, print_json, print_table
from bnpl_features.cli.page_section import renew_section
from bnpl_features.connect.data import open_warehouse
from bnpl_features.derive.query import Query
from bnpl_features.errors import InputError, RelationMissing
from bnpl_features.plan.daily import Job, daily_statements, tables
from bnpl_features.plan.planning import Plan, plan_by_dry_run, plan_computed, reads_of
from bnpl_features.plan.prices import WarehousePrices, load_warehouse_prices
from bnpl_features.plan.report import STATEMENTS, STEPS, page_section, statement_rows, step_rows, totals
from bnpl_features.plan.sample import measure, shipped_sample
from bnpl_features.plan.sizes import Size
from bnpl_features.settings import Settings
from bnpl_features.warehouse.warehouse import Warehouse

_BEGIN, _END = "<!-- plan: written by `make docs` -->", "<!-- end of plan -->"


@dataclass(frozen=True)
class Plans:
    """Plans of several sizes, the prices they are made with, and where their lengths and nulls are from."""

    plans: Sequence[Plan]
    prices: WarehousePrices
    source: str

    def write(self, page: Path) -> None:
        """Renew the section on the page."""
        renew_section(page, _BEGIN, _END, page_section(list(self.plans), self.prices, self.source))

    def print_json(self) -> None:
        of_prices = {"prices_as_of": self.prices.as_of, "sample": self.source}
        print_json([asdict(one) | {"totals": totals(one, self.prices)} | of_prices for one in self.plans])

    def print(self, *, each: bool) -> None:
        """Tables by step, or by statement."""
        for one in self.plans:
            size = one.size
            title = (
                f"A day of {size.customers:,} customers, {size.purchases_per_customer:.1f} purchases a year; computed"
                if size
                else "A day of the warehouse as it is; by dry runs"
            )
            print_table(title, STATEMENTS if each else STEPS, statement_rows(one) if each else step_rows(one))
            for name, value in totals(one, self.prices).items():
                console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
        console.print(
            f"Sample: {self.source}. List prices as of {self.prices.as_of}, {self.prices.region}: check before use.",
            highlight=False,
            soft_wrap=True,
        )


def by_dry_run(settings: Settings, day: date, prices: Path | None) -> Plans:
    """The warehouse as it is, by its own figures."""
    price_list = load_warehouse_prices(prices)
    return Plans([_dry(settings, day, price_list)], price_list, "dry runs")


def computed(
    settings: Settings,
    day: date,
    prices: Path | None,
    sizes: Sequence[int],
    *,
    purchases_per_customer: float | None,
    kept_days: int,
    own: bool,
) -> Plans:
    """Plans of some numbers of customers; with `own` of the lengths and nulls of the configured warehouse."""
    price_list = load_warehouse_prices(prices)
    sample = timed = shipped_sample()
    if own:
        sample = measure(open_warehouse(settings.warehouse), settings.source, day, tables(), {})
    asked = daily_statements(_job(settings, day))
    reads = reads_of(asked, day)
    each_year = sample.purchases_per_customer if purchases_per_customer is None else purchases_per_customer
    plans = [
        plan_computed(asked, reads, Size(count, each_year), sample, price_list, kept_days, timed) for count in sizes
    ]
    return Plans(plans, price_list, sample.source)


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
