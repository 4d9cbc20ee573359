"""Commands around experiments on live purchases."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from bnpl_features.cli.experiment_arms import arm_and_share_of, arm_of, parted, share_of
from bnpl_features.cli.experiment_tables import print_experiments, print_outcome
from bnpl_features.cli.output import acting_user, console, named_exit, print_json, print_table
from bnpl_features.cli.purchases import yesterday
from bnpl_features.connect.data import open_warehouse
from bnpl_features.connect.serving import guardrails_of, open_shelf
from bnpl_features.settings import load_settings

_REASON = click.option("--reason", required=True, help="Why; it lands in the definition and in the audit trail.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.group()
def experiments() -> None:
    """Compare models on live purchases: champion/challenger, and shadow arms that are only logged.

    Example: bnpl-features experiments list
    """


@experiments.command()
@click.argument("name")
@click.option("--arm", "arms", multiple=True, metavar="ARM=SHARE[:MODEL@VERSION]", help="An arm and its share.")
@click.option("--shadow", "shadows", multiple=True, metavar="ARM:MODEL@VERSION", help="An arm that is only logged.")
@_REASON
def start(name: str, arms: tuple[str, ...], shadows: tuple[str, ...], reason: str) -> None:
    """Start an experiment; running services pick it up within a second or two.

    An arm without a model is the control: the champion. A version is a number or an alias, which is resolved now: a
    promotion does not change what an arm is.

    Example: bnpl-features experiments start autumn --arm champion=0.9 --arm new=0.1:behavioural@4 --reason "v4"
    """
    from bnpl_features.scoring.experiments.definition import Request
    from bnpl_features.scoring.experiments.operating import start_experiment

    with named_exit():
        settings = load_settings()
        request = Request(
            name,
            tuple(arm_and_share_of(text, settings) for text in arms),
            tuple(arm_of(*parted(text, ":"), settings) for text in shadows),
        )
        with open_shelf(settings.scoring, settings.store) as shelf:
            start_experiment(shelf, request, actor=acting_user(), reason=reason)
    console.print(f"experiment {name} is running")


@experiments.command()
@click.argument("name")
@click.option("--arm", "arms", multiple=True, required=True, metavar="ARM=SHARE", help="Each arm with its new share.")
@_REASON
def shares(name: str, arms: tuple[str, ...], reason: str) -> None:
    """Change the shares of a running experiment, moving as few customers as that takes.

    Example: bnpl-features experiments shares autumn --arm champion=0.5 --arm new=0.5 --reason "no harm in a week"
    """
    from bnpl_features.scoring.experiments.operating import adjust_shares

    with named_exit():
        settings = load_settings()
        wanted = {arm: share_of(share) for arm, share in (parted(text, "=") for text in arms)}
        with open_shelf(settings.scoring, settings.store) as shelf:
            adjust_shares(shelf, name, wanted, actor=acting_user(), reason=reason)
    console.print(f"experiment {name} has its new shares")


@experiments.command()
@click.argument("name")
@_REASON
def stop(name: str, reason: str) -> None:
    """Stop an experiment: every customer is scored by the champion again.

    Example: bnpl-features experiments stop autumn --reason "decided: promote"
    """
    from bnpl_features.scoring.experiments.operating import stop_experiment

    with named_exit():
        settings = load_settings()
        with open_shelf(settings.scoring, settings.store) as shelf:
            stop_experiment(shelf, name, actor=acting_user(), reason=reason)
    console.print(f"experiment {name} is stopped")


@experiments.command(name="list")
@_JSON
def list_command(as_json: bool) -> None:
    """List the experiments, the running one last.

    Example: bnpl-features experiments list
    """
    from bnpl_features.console.figures.experiments import experiments as all_experiments

    with named_exit():
        settings = load_settings()
        with open_shelf(settings.scoring, settings.store) as shelf:
            found = all_experiments(shelf)[::-1]
    if as_json:
        print_json([asdict(one) | {"shares": one.shares} for one in found])
        return
    print_experiments(found)


@experiments.command()
@click.argument("name")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Last day that counts (default: yesterday, UTC).")
@_JSON
def report(name: str, as_of: datetime | None, as_json: bool) -> None:
    """Say what came of an experiment; looking daily is safe. Stops nothing: the daily asset does.

    Example: bnpl-features experiments report autumn
    """
    from bnpl_features.console.figures.experiments import outcome

    with named_exit():
        settings = load_settings()
        with open_shelf(settings.scoring, settings.store) as shelf:
            made = outcome(
                shelf,
                open_warehouse(settings.warehouse),
                settings.source,
                name,
                as_of=as_of.date() if as_of else yesterday(),
                maturity_days=settings.model.maturity_days,
                guardrails=guardrails_of(settings.scoring),
            )
    if as_json:
        print_json(asdict(made.report) | {"harm": made.harm})
        return
    print_outcome(made)


@experiments.command()
@click.option("--rate", type=float, required=True, help="The control's rate, such as a default rate of 0.05.")
@click.option("--difference", type=float, required=True, help="The smallest difference to see, such as -0.01.")
@click.option("--customers-a-day", type=float, required=True, help="New customers a day.")
@click.option("--share", type=float, default=0.5, show_default=True, help="Of the customers, for each of two arms.")
def power(rate: float, difference: float, customers_a_day: float, share: float) -> None:
    """Say how many customers and days it takes to see a difference, with 80 % power.

    Example: bnpl-features experiments power --rate 0.05 --difference -0.01 --customers-a-day 3000
    """
    from bnpl_features.scoring.experiments.power import plan

    with named_exit():
        days = load_settings().model.maturity_days
        made = plan(rate, difference, customers_a_day=customers_a_day, share=share, maturity_days=days)
    rows = [(f"{made.one_look:,}", f"{made.any_look:,}", f"{made.days:,.0f}")]
    print_table("Customers of each arm", ("one look at the end", "looks at any time", "days, with maturity"), rows)
