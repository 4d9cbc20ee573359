"""The demonstration: the whole job on embedded parts, and what it did."""

from __future__ import annotations

import random
import sys
import time
from datetime import timedelta

import click

from bnpl_features.cli.demo_scoring import score_purchases, train_and_promote
from bnpl_features.cli.output import console, named_exit, print_table, progress_bar
from bnpl_features.cli.pipeline import DAILY_JOB, launch
from bnpl_features.cli.purchases import simulate, yesterday
from bnpl_features.cli.serving import versions
from bnpl_features.connect.data import open_reader, store_url
from bnpl_features.settings import Settings, load_settings
from bnpl_features.store.connection import connect
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookup import Status

PUBLISHED_DAYS = 3
_FEWEST_CUSTOMERS = 4_000
"""Of fewer, three weeks hold too few missed payments to train on."""

_LOOKUPS = 5_000
_NEXT = """[bold]Where to look next[/bold]
  {program} get {customer_id}         one customer, as the scoring service reads it
  {program} versions --audit         the versions, and who did what
  {program} features                 the catalogue; docs/features.md is its page
  {program} rollback --reason demo   one pointer write
  {program} models --audit           the risk models, and how they were promoted
  {program} serve                    the prediction service; docs/scoring.md is its page
  make up   The console, Dagster, the prediction service and a simulated day, on this data
"""


@click.command()
@click.option(
    "--customers",
    type=click.IntRange(_FEWEST_CUSTOMERS),
    default=20_000,
    show_default=True,
    help="Size of the population.",
)
@click.option("--days", default=150, show_default=True, help="Days of purchases before today.")
@click.pass_context
def demo(context: click.Context, customers: int, days: int) -> None:
    """Simulate purchases, run three days through Dagster, switch versions, train the models, score purchases.

    Example: bnpl-features demo --customers 5000
    """
    started = time.monotonic()
    with named_exit():
        settings = load_settings()
    with named_exit(), store_url(settings.store) as url:
        console.rule("1. Purchases")
        context.invoke(simulate, customers=customers, days=days, until=None, seed=0)
        console.rule("2. The daily job, three partitions, through Dagster")
        newest = [f"{yesterday() - timedelta(days=back):%Y-%m-%d}" for back in reversed(range(PUBLISHED_DAYS))]
        code = launch(DAILY_JOB, newest, {"user": "demo"})
        if code:
            sys.exit(code)
        console.rule("3. The versions")
        context.invoke(versions, audit=True, as_json=False)
        console.rule("4. Lookups")
        found = _read_back(settings, customers)
        console.rule("5. Risk models: the checkout alone, and with the customer's history")
        train_and_promote(settings)
        console.rule("6. The prediction service")
        score_purchases(settings, url)
    console.rule()
    console.print(_NEXT.format(program=sys.argv[0], customer_id=found))
    console.print(f"Done in {time.monotonic() - started:.0f} s.")


def _read_back(settings: Settings, customers: int) -> str:
    """Random customers through the client, one at a time, beside a bare PING; returns one who has features."""
    choose = random.Random(0)
    chosen = [f"cust_{choose.randrange(customers):07d}" for _ in range(_LOOKUPS)]
    with store_url(settings.store) as url, open_reader(settings.store) as reader, progress_bar("lookups") as report:
        lookups = []
        for done, customer_id in enumerate(chosen):
            lookups.append(_timed_get(reader, customer_id))
            if done % 500 == 0:
                report("lookups", done, _LOOKUPS)
        known = next((one for one in chosen if reader.get(one).status is Status.FRESH), chosen[0])
        client = connect(url)
        pings = [_timed(client.ping) for _ in range(_LOOKUPS)]
    rows = [("client.get", *_percentiles(lookups)), ("redis-py PING", *_percentiles(pings))]
    print_table(f"Latency of {_LOOKUPS:,} calls, microseconds", ("call", "p50", "p99"), rows)
    print_table("Answers", ("status", "customers"), [(status, n) for status, n in reader.counts.items()])
    return known


def _timed_get(reader: CustomerFeatureStore, customer_id: str) -> float:
    started = time.perf_counter()
    reader.get(customer_id)
    return time.perf_counter() - started


def _timed(call: object) -> float:
    started = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - started


def _percentiles(seconds: list[float]) -> tuple[str, str]:
    ordered = sorted(seconds)
    return tuple(f"{ordered[int(len(ordered) * share)] * 1e6:,.0f}" for share in (0.5, 0.99))  # type: ignore[return-value]
