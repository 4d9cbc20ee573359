"""Commands for a customer who must not be stored any more."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bnpl_features.cli.output import acting_user, console, moment, named_exit, print_json, print_table
from bnpl_features.connect.data import open_target
from bnpl_features.errors import InputError
from bnpl_features.settings import load_settings
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.erasure import Tombstone, erase, readmit, tombstones
from bnpl_features.store.erasure import restore as restore_tombstones

_REASON = click.option("--reason", required=True, help="Why; it lands in the audit trail.")


@click.command(name="erase")
@click.argument("customer_id")
@_REASON
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def erase_command(customer_id: str, reason: str, as_json: bool) -> None:
    """Remove a customer from every version, and keep later publications from bringing the customer back.

    Each version is read afterwards. What stays is a tombstone that holds a keyed digest, not the customer id.

    Example: bnpl-features erase cust_0000042 --reason "request 8812"
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        removals = erase(target.client, target.keyspace, target.keys, customer_id, actor=acting_user(), reason=reason)
    if as_json:
        print_json({"versions": [{"version": r.version, "state": r.state, "held": r.held} for r in removals]})
        return
    rows = [(r.version, r.state, "yes" if r.held else "no", "no") for r in removals]
    print_table("The customer in each version", ("version", "state", "before", "read back afterwards"), rows)
    console.print("erased; a version that is being published now leaves the customer out when it becomes active")


@click.command(name="readmit")
@click.argument("customer_id")
@_REASON
def readmit_command(customer_id: str, reason: str) -> None:
    """Lift a customer's tombstone: the next publication serves the customer again.

    Example: bnpl-features readmit cust_0000042 --reason "request 8812 was withdrawn"
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        readmit(target.client, target.keyspace, target.keys, customer_id, actor=acting_user(), reason=reason)
    console.print("readmitted; the next publication serves the customer again")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON: the copy to keep, outside of the store.")
@click.option(
    "--restore",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Write those of a copy again that the store has lost.",
)
def erasures(as_json: bool, restore: Path | None) -> None:
    """List the tombstones, newest first: digests, never customer ids.

    A store that is lost loses them, and a publication would bring the customers back: keep a copy, and restore it
    before anything is published again.

    Example: bnpl-features erasures --json > erasures.json
    """
    with named_exit():
        copy = _read_copy(restore) if restore else []
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        if restore:
            missing = restore_tombstones(target.client, target.keyspace, copy)
            console.print(f"{len(copy)} tombstones in the copy, {missing} were missing and are restored")
            return
        stones = tombstones(target.client, target.keyspace)
        present = target.key.check
    if as_json:
        print_json([stone.__dict__ | {"digest": stone.digest.hex()} for stone in stones])
        return
    rows = [
        (moment(s.at), s.digest.hex(), "present" if s.key_check == present else "previous", s.actor, s.reason)
        for s in stones
    ]
    print_table("Erased customers", ("at (UTC)", "digest", "customer key", "by", "reason"), rows)


def _read_copy(path: Path) -> list[Tombstone]:
    try:
        found = json.loads(path.read_text())
        return [Tombstone(**one | {"digest": bytes.fromhex(one["digest"])}) for one in list(found)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no copy of tombstones ({type(error).__name__}); give what `bnpl-features erasures --json` told"
        ) from error
