"""Commands that bring purchases into the warehouse."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click

from bnpl_features.cli.output import console, named_exit, print_json, print_table, progress_bar
from bnpl_features.connect.data import open_warehouse
from bnpl_features.settings import load_settings
from bnpl_features.warehouse.transactions import Source

_MOST_DAYS = 3_660


@click.command()
@click.option("--customers", default=20_000, show_default=True, help="Size of the population.")
@click.option(
    "--days",
    type=click.IntRange(1, _MOST_DAYS),
    default=200,
    show_default=True,
    help="Days of purchases, the last of which is --until.",
)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day (default: yesterday, UTC).")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same purchases.")
def simulate(customers: int, days: int, until: datetime | None, seed: int) -> None:
    """Simulate a population of BNPL customers into the warehouse.

    Example: bnpl-features simulate --customers 50000 --days 365
    """
    from bnpl_features.simulator import Population
    from bnpl_features.simulator import simulate as purchases_of

    last_day = until.date() if until else yesterday()
    try:
        population = Population(customers, last_day - timedelta(days=days - 1), last_day, seed=seed)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(str(error)) from error
    with named_exit():
        settings = load_settings().warehouse
        with progress_bar("customers") as report:
            batches = purchases_of(population, progress=lambda done, total: report("simulate", done, total))
            received = open_warehouse(settings).upsert_transactions(batches, {"asset": "transactions"})
    console.print(
        f"{received:,} purchases of {customers:,} customers, {population.first_day} to {last_day}, in the warehouse"
    )


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--column", "columns", multiple=True, metavar="CANONICAL=OWN", help="Your name of a contract column.")
@click.option("--assume-timezone", help="Zone of timestamps that carry none, such as UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def load(paths: tuple[str, ...], columns: tuple[str, ...], assume_timezone: str | None, as_json: bool) -> None:
    """Read purchases from Parquet, CSV or NDJSON (files, folders, globs) into the warehouse.

    Nothing is written unless all rows keep the source contract (docs/source.md). Loading a file twice changes nothing.

    Example: bnpl-features load purchases/*.parquet --assume-timezone UTC --column amount=order_total
    """
    from bnpl_features.warehouse.load import load as load_files

    with named_exit():
        settings = load_settings()
        source = Source(columns=_column_map(columns))
        with progress_bar("rows") as report:
            loaded = load_files(
                open_warehouse(settings.warehouse),
                paths,
                source,
                assume_timezone=assume_timezone,
                now=datetime.now(UTC),
                progress=report,
            )
    rows = [(name.replace("_", " "), value) for name, value in loaded.__dict__.items()]
    if as_json:
        print_json(dict(loaded.__dict__))
    else:
        print_table("Loaded", ("what", "value"), rows)


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def _column_map(columns: tuple[str, ...]) -> dict[str, str]:
    for pair in columns:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r}: write CANONICAL=OWN, such as transaction_timestamp=_timestamp")
    return dict(pair.split("=", 1) for pair in columns)
