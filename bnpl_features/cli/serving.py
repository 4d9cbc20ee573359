"""Commands that read and steer the online store."""

from __future__ import annotations

import sys

import click
from rich.markup import escape

from bnpl_features.cli.output import acting_user, console, moment, named_exit, print_json, print_table
from bnpl_features.connect.data import open_reader, open_target
from bnpl_features.errors import StoreUnavailable
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.settings import load_settings
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.retirement import retire
from bnpl_features.store.switching import roll_back, switch_to
from bnpl_features.store.versions import (
    Version,
    audit_trail,
    list_versions,
)

_PATIENT_SECONDS = 2.0
"""A lookup's budget: here the answer matters, not its latency."""

_SET = click.option(
    "--set", "feature_set", default=BEHAVIOURAL.name, show_default=True, help="The feature set that is meant."
)
_REASON = click.option("--reason", required=True, help="Why; it lands in the audit trail.")


@click.command()
@click.argument("customer_id")
@_SET
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def get(customer_id: str, feature_set: str, as_json: bool) -> None:
    """Read one customer as the scoring service would.

    A customer that is not known is answered with the declared defaults. Ends with 4 where the store has no answer.

    Example: bnpl-features get cust_0000042
    """
    with named_exit(), open_reader(load_settings().store, _PATIENT_SECONDS) as reader:
        reader.follow(feature_set)
        answer = reader.get(customer_id, feature_set=feature_set)
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
    else:
        reason = f" ({escape(answer.reason)})" if answer.reason else ""
        console.print(f"status {answer.status}{reason}, version {answer.version}, partition {answer.partition_date}")
        values = [(name, _shown(value)) for name, value in answer.as_dict().items()]
        print_table("Features", ("feature", "value"), values)
    if answer.status is Status.UNAVAILABLE:
        sys.exit(StoreUnavailable.exit_code)


@click.command()
@click.option("--audit", is_flag=True, help="Also list who did what, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def versions(audit: bool, as_json: bool) -> None:
    """List the versions in the online store.

    Example: bnpl-features versions --audit
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        found = list_versions(target.client, target.keyspace)
        trail = audit_trail(target.client, target.keyspace) if audit else []
    if as_json:
        described = [_as_dict(version) | _evidence(version) for version in found]
        print_json({"versions": described, "audit": [entry.__dict__ for entry in trail]})
        return
    rows = [tuple(_as_dict(version).values()) for version in found]
    print_table(
        "Versions", ("version", "set", "state", "since (UTC)", "partition", "customers", "published by run"), rows
    )
    if audit:
        acts = [(moment(e.at), e.act, e.version, e.previous, e.actor, e.reason) for e in trail]
        print_table("Audit", ("at (UTC)", "act", "version", "previous", "actor", "reason"), acts)


@click.command()
@click.argument("version", type=int)
@_REASON
def activate(version: int, reason: str) -> None:
    """Switch to a verified or retained version by its number.

    Example: bnpl-features activate 12 --reason "model v7 was trained on it"
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        switch_to(target.client, target.keyspace, version, actor=acting_user(), reason=reason)
    console.print(f"version {version} is active")


@click.command()
@click.option("--to", "version", type=int, help="A retained version (default: the one active last).")
@_SET
@_REASON
def rollback(version: int | None, feature_set: str, reason: str) -> None:
    """Switch a set back to a retained version: one pointer write, within a second at every reader.

    Example: bnpl-features rollback --reason "approval rate fell at 03:10"
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        found = [one.feature_set for one in list_versions(target.client, target.keyspace) if one.number == version]
        keyspace = target.keyspace.of(found[0] if found else feature_set)
        now, before = roll_back(target.client, keyspace, version, actor=acting_user(), reason=reason)
    console.print(f"version {now} is active again, {before} is retained")


@click.command(name="retire")
@click.argument("version", type=int)
@_REASON
@click.option(
    "--grace-seconds",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="How long readers may still use it.",
)
def retire_command(version: int, reason: str, grace_seconds: float) -> None:
    """Remove a version's records from the store; never the active one.

    Example: bnpl-features retire 11 --reason "to free memory"
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        retire(target.client, target.keyspace, version, actor=acting_user(), reason=reason, grace_seconds=grace_seconds)
    console.print(f"version {version} is retired")


def _as_dict(version: Version) -> dict[str, object]:
    manifest = version.manifest
    return {
        "version": version.number,
        "set": version.feature_set,
        "state": version.state.value,
        "since": moment(version.since),
        "partition_date": manifest.partition_date if manifest else None,
        "customers": manifest.customers if manifest else None,
        "run_id": manifest.provenance.run_id if manifest else None,
    }


def _evidence(version: Version) -> dict[str, object]:
    """Why the version was allowed, and what its storage cost: what a table has no room for."""
    manifest = version.manifest
    if manifest is None:
        return {}
    return {
        "actor": manifest.provenance.actor,
        "code_version": manifest.provenance.code_version,
        "checks": dict(manifest.provenance.checks),
        "overrides": dict(manifest.provenance.overrides),
        "saturated": dict(manifest.saturated),
        "layout": manifest.layout.fingerprint,
    }


def _shown(value: object) -> str:
    return "null" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
