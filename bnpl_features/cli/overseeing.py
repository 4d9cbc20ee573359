"""Commands that show what the console's first pages show: the state of everything, and who did what."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

import click

from bnpl_features.cli.output import console, moment, named_exit, print_json, print_table
from bnpl_features.connect.data import open_target
from bnpl_features.connect.extras import extra
from bnpl_features.settings import load_settings
from bnpl_features.store.audit import ActFilter, find_acts
from bnpl_features.store.connection import named_errors, url_of

_APART_SECONDS = click.option(
    "--seconds", type=click.FloatRange(0.1, 600), default=2.0, show_default=True, help="How long to watch the service."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.command()
@_APART_SECONDS
@_JSON
def overview(seconds: float, as_json: bool) -> None:
    """Is everything fresh, fast and within its limits: what the console's first page shows.

    Ends with 0 where everything is in order, 1 where something wants a look or is wrong.

    Example: bnpl-features overview --json
    """
    with named_exit():
        settings = load_settings()
        with extra("console"):
            from bnpl_features.console.figures.overview import overview as look
            from bnpl_features.console.figures.panel import Level
            from bnpl_features.console.parts import open_parts

        with open_parts(settings) as parts:
            parts.sampler.read()
            if parts.sampler.readings().value:
                time.sleep(seconds)
                parts.sampler.read()
            found = look(parts, wait=True)
    if as_json:
        print_json({"level": found.level, **asdict(found)})
    else:
        rows = [(one.level, one.name, one.value, one.note, one.advice) for one in found.signals]
        print_table(f"Overview: {found.level}", ("level", "signal", "value", "about", "what to do"), rows)
        for name, problem in found.problems.items():
            console.print(f"{name}: {problem}", highlight=False, markup=False, soft_wrap=True)
    sys.exit(0 if found.level in (Level.OK, Level.IDLE) else 1)


@click.command()
@_APART_SECONDS
@_JSON
def serving(seconds: float, as_json: bool) -> None:
    """Rates, latencies, fallbacks and hits of the prediction service, over some seconds.

    Example: bnpl-features serving --seconds 10
    """
    with named_exit():
        settings = load_settings()
        with extra("console"):
            from bnpl_features.console.figures.readings import read_service
            from bnpl_features.console.figures.serving import serving_between
            from bnpl_features.console.parts import service_url

        url = service_url(settings)
        before = read_service(url)
        time.sleep(seconds)
        found = serving_between(before, read_service(url))
    if as_json:
        print_json(asdict(found) | {"budget_used": found.budget_used, "level": found.level})
        return
    rows = [(name.replace("_", " "), _short(value)) for name, value in asdict(found).items()]
    print_table(f"Serving at {url}: {found.level}", ("figure", "value"), rows)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(part)}" for name, part in value.items()) or "none"
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


@click.command()
@click.option("--act", default="", help="Only acts of this kind, such as activate or erase.")
@click.option("--actor", default="", help="Only what this person did.")
@click.option("--version", default=0, help="Only what was done to this version.")
@click.option("--words", default="", help="Only where the reason has these words.")
@click.option("--before", default="", help="Go on from here, as the last page said.")
@click.option("--count", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many, newest first.")
@_JSON
def audit(act: str, actor: str, version: int, words: str, before: str, count: int, as_json: bool) -> None:
    """Who did what, when and why, newest first: switches, removals, erasures, sign-ins, looks at a customer.

    Example: bnpl-features audit --act activate --count 20
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        wanted = ActFilter(act, actor, version, words)
        found = find_acts(target.client, target.keyspace, wanted, before=before, count=count)
    if as_json:
        print_json({"acts": [entry.__dict__ for entry in found.entries], "older": found.older})
        return
    rows = [(moment(e.at), e.actor, e.act, e.version or "", e.previous, e.reason) for e in found.entries]
    print_table("Audit", ("at (UTC)", "who", "act", "version", "before", "why"), rows)
    if found.older:
        console.print(f"older: --before {found.older}", highlight=False)
