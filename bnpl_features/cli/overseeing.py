"""Commands that show what the console's first pages show: the state of everything, and who did what."""

from __future__ import annotations

import click

from bnpl_features.cli.output import console, moment, named_exit, print_json, print_table
from bnpl_features.connect.data import open_target
from bnpl_features.settings import load_settings
from bnpl_features.store.audit import ActFilter, find_acts
from bnpl_features.store.connection import named_errors, url_of


@click.command()
@click.option("--act", default="", help="Only acts of this kind, such as activate or erase.")
@click.option("--actor", default="", help="Only what this person did.")
@click.option("--version", default=0, help="Only what was done to this version.")
@click.option("--words", default="", help="Only where the reason has these words.")
@click.option("--before", default="", help="Go on from here, as the last page said.")
@click.option("--count", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
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
