"""Commands that read and steer the online store."""

from __future__ import annotations

import getpass

import click

from bnpl_features.cli.output import console, moment, named_exit, print_json, print_table
from bnpl_features.connect import open_reader, open_target
from bnpl_features.errors import VersionMissing
from bnpl_features.settings import load_settings
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.publisher import Target
from bnpl_features.store.versions import (
    State,
    Version,
    active_version,
    audit_trail,
    list_versions,
    retire,
    roll_back,
)
from bnpl_features.store.versions import activate as activate_version

_REASON = click.option("--reason", required=True, help="Why; it lands in the audit trail.")


@click.command()
@click.argument("customer_id")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def get(customer_id: str, as_json: bool) -> None:
    """Read one customer as the scoring service would.

    Example: bnpl-features get cust_0000042
    """
    with named_exit(), open_reader(load_settings().store) as reader:
        answer = reader.get(customer_id)
    if as_json:
        print_json(
            {
                "status": answer.status,
                "version": answer.version,
                "partition_date": answer.partition_date,
                "reason": answer.reason,
                "features": answer.as_dict(),
            }
        )
        return
    console.print(
        f"status {answer.status}, version {answer.version}, partition {answer.partition_date} {answer.reason}"
    )
    print_table("Features", ("feature", "value"), [(name, _shown(value)) for name, value in answer.as_dict().items()])


@click.command()
@click.option("--audit", is_flag=True, help="Also list who did what, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def versions(audit: bool, as_json: bool) -> None:
    """List the versions in the online store."""
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        found = list_versions(target.client, target.keyspace)
        trail = audit_trail(target.client, target.keyspace) if audit else []
    if as_json:
        print_json({"versions": [_as_dict(version) for version in found], "audit": [e.__dict__ for e in trail]})
        return
    rows = [tuple(_as_dict(version).values()) for version in found]
    print_table("Versions", ("version", "state", "since (UTC)", "partition", "customers", "published by run"), rows)
    if audit:
        acts = [(moment(e.at), e.act, e.version, e.previous, e.actor, e.reason) for e in trail]
        print_table("Audit", ("at (UTC)", "act", "version", "previous", "actor", "reason"), acts)


@click.command()
@click.argument("version", type=int)
@_REASON
def activate(version: int, reason: str) -> None:
    """Switch to a verified or retained version by its number."""
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        state = _state(target, version)
        if state is State.VERIFIED:
            expected = active_version(target.client, target.keyspace)
            activate_version(target.client, target.keyspace, version, expected=expected, actor=_actor(), reason=reason)
        else:
            roll_back(target.client, target.keyspace, version, actor=_actor(), reason=reason)
    console.print(f"version {version} is active")


@click.command()
@click.option("--to", "version", type=int, help="A retained version (default: the newest).")
@_REASON
def rollback(version: int | None, reason: str) -> None:
    """Switch back to a retained version: one pointer write, within a second at every reader.

    Example: bnpl-features rollback --reason "approval rate fell at 03:10"
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        now, before = roll_back(target.client, target.keyspace, version, actor=_actor(), reason=reason)
    console.print(f"version {now} is active again, {before} is retained")


@click.command(name="retire")
@click.argument("version", type=int)
@_REASON
@click.option("--grace-seconds", default=60.0, show_default=True, help="How long readers may still use it.")
def retire_command(version: int, reason: str, grace_seconds: float) -> None:
    """Remove a version's records from the store; never the active one."""
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        retire(target.client, target.keyspace, version, actor=_actor(), reason=reason, grace_seconds=grace_seconds)
    console.print(f"version {version} is retired")


def _state(target: Target, number: int) -> State:
    for version in list_versions(target.client, target.keyspace):
        if version.number == number:
            return version.state
    raise VersionMissing(f"there is no version {number}; `bnpl-features versions` lists what there is")


def _as_dict(version: Version) -> dict[str, object]:
    manifest = version.manifest
    return {
        "version": version.number,
        "state": version.state.value,
        "since": moment(version.since),
        "partition_date": manifest.partition_date if manifest else None,
        "customers": manifest.customers if manifest else None,
        "run_id": manifest.provenance.run_id if manifest else None,
    }


def _actor() -> str:
    return getpass.getuser()


def _shown(value: object) -> str:
    return "null" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
