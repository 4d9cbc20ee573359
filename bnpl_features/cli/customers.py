"""The command that shows one customer, as the console's page does."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from bnpl_features.cli.output import acting_user, console, moment, named_exit, print_json, print_table
from bnpl_features.connect.data import open_target, open_warehouse
from bnpl_features.features.catalog import BEHAVIOURAL, SETS
from bnpl_features.settings import load_settings
from bnpl_features.store.connection import named_errors, url_of

if TYPE_CHECKING:
    from bnpl_features.console.figures.customer import Customer
    from bnpl_features.console.figures.population import Standing
    from bnpl_features.console.figures.scores import Score
    from bnpl_features.features.feature import Value

_REASON = "looked up from the command line"


@click.command()
@click.argument("customer_id")
@click.option(
    "--set",
    "feature_set",
    type=click.Choice([one.name for one in SETS]),
    default=BEHAVIOURAL.name,
    show_default=True,
    help="The feature set that is meant.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def customer(customer_id: str, feature_set: str, as_json: bool) -> None:
    """Show a customer: each feature today, yesterday and among everybody's, velocity, recent scores and why.

    That somebody looked lands in the audit trail, with the customer's digest.

    Example: bnpl-features customer cust_0000042
    """
    from bnpl_features.console.access.looks import record_look
    from bnpl_features.console.figures.customer import customer as customer_figures
    from bnpl_features.console.figures.population import population
    from bnpl_features.console.figures.scores import recent_scores

    with named_exit():
        settings = load_settings()
        with open_target(settings.store) as target, named_errors(url_of(target.client)):
            record_look(target, customer_id, acting_user(), _REASON)
            found = customer_figures(target, customer_id, feature_set)
            key = target.key
        warehouse = open_warehouse(settings.warehouse)
        values = {one.name: one.today for one in found.features}
        standings = population(warehouse, found.partition, values, found.segment) if found.partition else {}
        scores = recent_scores(
            warehouse, settings.scoring.predictions_folder, key, customer_id, datetime.now(UTC).date()
        )
    if as_json:
        made = asdict(found) | {"population": {name: asdict(one) for name, one in standings.items()}}
        made["erased"] = {"at": found.erased.at, "by": found.erased.actor} if found.erased else None
        print_json(made | {"scores": [_described(one) for one in scores]})
        return
    _print_features(found, standings)
    _print_scores(scores)


def _print_features(found: Customer, standings: dict[str, Standing]) -> None:
    reason = f" ({found.reason})" if found.reason else ""
    console.print(f"status {found.status}{reason}, version {found.version}, partition {found.partition}")
    if found.segment:
        console.print(f"segment {found.segment}: {found.segment_meaning}")
    if found.erased:
        by, at = found.erased.actor, moment(found.erased.at)
        console.print(f"erased on {at} by {by}: {found.erased.reason}", highlight=False)
    rows = [
        (one.name, shown(one.today), shown(one.yesterday), shown(one.now), _below(standings.get(one.name)), one.meaning)
        for one in found.features
    ]
    before = f"on {found.before}" if found.before else "before"
    print_table("Features", ("feature", "served", before, "with today", "below it", "meaning"), rows)
    recent = [(one.name, shown(one.value), one.meaning) for one in found.velocity]
    print_table(f"Velocity ({found.velocity_status})", ("feature", "value", "meaning"), recent)


def _print_scores(scores: tuple[Score, ...]) -> None:
    rows = [
        (
            f"{one.predicted_at:%Y-%m-%d %H:%M:%S}",
            f"{one.model} {one.model_version}" if one.model else "",
            "" if one.probability is None else f"{one.probability:.4f}",
            one.decision,
            one.arm + (" (shadow)" if one.is_shadow else ""),
            "; ".join(f"{reason.code} {reason.text}" for reason in one.reasons),
        )
        for one in scores
    ]
    print_table("Recent scores", ("at (UTC)", "model", "probability", "decision", "arm", "reasons"), rows)


def shown(value: Value) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _below(standing: Standing | None) -> str:
    return "" if standing is None or standing.below is None else f"{standing.below:.0%}"


def _described(score: Score) -> dict[str, object]:
    reasons = [{"code": reason.code, "text": reason.text} for reason in score.reasons]
    return score.__dict__ | {"reasons": reasons}
