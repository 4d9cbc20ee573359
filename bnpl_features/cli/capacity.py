"""The command that says what a number of customers takes and costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from bnpl_features.cli.output import console, named_exit, print_json, print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.settings import load_settings
from bnpl_features.store.capacity import GIB, Capacity, Demand, plan_capacity
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.prices import load_prices


@click.command()
@click.option("--customers", type=click.IntRange(min=1), required=True, help="Customers with a feature vector.")
@click.option(
    "--versions", type=click.IntRange(min=1), help="Versions kept; default: the active one and those for a rollback."
)
@click.option("--replicas", type=click.IntRange(min=0), default=1, show_default=True, help="Replicas a primary.")
@click.option(
    "--lookups-per-second",
    type=click.FloatRange(min=0),
    default=Demand.lookups_per_second,
    show_default=True,
    help="Customers read a second.",
)
@click.option(
    "--publish-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=Demand.publish_seconds,
    show_default=True,
    help="How long a publication takes.",
)
@click.option(
    "--budget", type=click.FloatRange(min=0), default=5_000.0, show_default=True, help="USD a month that it may cost."
)
@click.option(
    "--prices",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A price file of your own; default: the setting store.prices, or else the list that is shipped.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def capacity(
    customers: int,
    versions: int | None,
    replicas: int,
    lookups_per_second: float,
    publish_seconds: float,
    budget: float,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Compute memory, network and monthly cost of a managed Redis.

    Nothing is connected to. Prices are list prices: check them before relying on a figure.

    Example: bnpl-features capacity --customers 10000000 --replicas 1
    """
    with named_exit():
        settings = load_settings().store
        table = load_prices(prices or (Path(settings.prices).expanduser() if settings.prices else None))
        kept = versions or settings.retained_versions + 1
        demand = Demand(customers, kept, replicas, lookups_per_second, publish_seconds)
        plan = plan_capacity(demand, layout_of(BEHAVIOURAL), table.offerings, Keyspace(settings.namespace))
    met = plan.costs[0].usd_per_month <= budget
    if as_json:
        needed = {"needed": plan.memory.needed}
        described = asdict(plan)
        described["memory"] |= needed
        print_json(described | {"prices_as_of": table.as_of, "budget_usd_per_month": budget, "budget_met": met})
        return
    _print(plan, table.as_of)
    cheapest = plan.costs[0]
    console.print(
        f"Budget of {budget:,.0f} USD a month: {'met' if met else 'not met'}, by {cheapest.offering.provider} "
        f"{cheapest.offering.node} at {cheapest.usd_per_month:,.0f} USD",
        highlight=False,
        soft_wrap=True,
    )


def _print(plan: Capacity, as_of: str) -> None:
    demand, memory, network = plan.demand, plan.memory, plan.network
    print_table(
        f"Memory of a primary, and of each replica, for {demand.customers:,} customers",
        ("part", "GiB"),
        [
            ("one version", _gib(memory.one_version)),
            (f"{demand.versions} versions kept", _gib(memory.kept_versions)),
            ("and the one being staged", _gib(memory.with_staged_version)),
            ("the server's own", _gib(memory.server)),
            ("headroom", _gib(memory.headroom)),
            ("needed", _gib(memory.needed)),
        ],
    )
    print_table(
        "Network of the primary",
        ("traffic", "bytes", "Mbit/s"),
        [
            (
                f"{demand.lookups_per_second:,.0f} lookups/s",
                f"{network.lookup_bytes} each",
                _rate(network.lookups_mbit),
            ),
            (
                f"publication in {demand.publish_seconds:g} s: written, read back, replicated",
                f"{network.written_bytes:,} + {network.read_back_bytes:,} + {network.replicated_bytes:,}",
                _rate(network.publication_mbit),
            ),
        ],
    )
    print_table(
        f"List prices as of {as_of}, on demand, without backups, traffic between zones and support: check before use",
        ("provider", "node", "region", "usable GiB", "shards", "nodes", "USD an hour a node", "USD a month"),
        [
            (
                cost.offering.provider,
                cost.offering.node,
                cost.offering.region,
                f"{cost.offering.usable_gib:g}",
                cost.shards,
                cost.nodes,
                f"{cost.offering.usd_per_hour:g}",
                f"{cost.usd_per_month:,.0f}",
            )
            for cost in plan.costs
        ],
    )


def _gib(size: int) -> str:
    return f"{size / GIB:.2f}"


def _rate(megabits: float) -> str:
    return f"{megabits:,.1f}"
