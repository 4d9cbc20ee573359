"""Commands about feature sets: what is declared, what is served, who reads it, what is recorded."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from bnpl_features.cli.output import acting_user, console, moment, named_exit, print_json, print_table
from bnpl_features.cli.pipeline import DAY, days_between, launch
from bnpl_features.connect.data import open_target
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.lock import Accepted, Lock, compare, declared, lock_path, recorded
from bnpl_features.derive.meaning import set_fingerprint
from bnpl_features.errors import DeclarationsChanged, PublicationRefused
from bnpl_features.features.catalog import BEHAVIOURAL, SETS, set_named
from bnpl_features.settings import load_settings
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.readers import Reader, readers_of
from bnpl_features.store.switching import withdraw as withdraw_set
from bnpl_features.store.target import Target
from bnpl_features.store.versions import State, list_versions


@click.group()
def sets() -> None:
    """Feature sets: which there are, who reads them, what they mean, and their end.

    Example: bnpl-features sets list
    """


@sets.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_sets(as_json: bool) -> None:
    """The sets that are declared, and what is served of them.

    Example: bnpl-features sets list
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        versions = list_versions(target.client, target.keyspace)
        readers = readers_of(target.client, target.keyspace)
    active = {one.feature_set: one for one in versions if one.state is State.ACTIVE}
    known = {one.name: one for one in SETS}
    rows = []
    for name in [*known, *(name for name in active if name not in known)]:
        one, served = known.get(name), active.get(name)
        manifest = served.manifest if served else None
        rows.append(
            {
                "set": name + (" (current)" if name == BEHAVIOURAL.name and not as_json else ""),
                "fingerprint": set_fingerprint(one) if one else None,
                "features": len(one.features) if one else None,
                "record_bytes": layout_of(one).width_bytes if one else None,
                "published": "daily" if one and one.is_daily else "by hand" if one else "not declared here",
                "deprecated_on": one.deprecated_on if one else manifest.deprecated_on if manifest else None,
                "version": served.number if served else None,
                "partition_date": manifest.partition_date if manifest else None,
                "readers": sum(reader.feature_set == name for reader in readers),
            }
        )
    if as_json:
        print_json(rows)
    else:
        heads = (
            "set",
            "fingerprint",
            "features",
            "bytes",
            "published",
            "deprecated on",
            "version",
            "partition",
            "readers",
        )
        print_table("Feature sets", heads, [tuple(row.values()) for row in rows])


@sets.command()
@click.option("--check", is_flag=True, help="Change nothing; end with 5 where the file is not up to date.")
@click.option(
    "--same-meaning", multiple=True, metavar="FEATURE", help="Its SQL is only worded otherwise; needs --reason."
)
@click.option("--reason", default="", help="Why; it lands in the lock file.")
def lock(check: bool, same_meaning: tuple[str, ...], reason: str) -> None:
    """Explain what changed in the declarations, and record it in features.lock.toml, if it is compatible.

    \b
    Examples:
      bnpl-features sets lock
      bnpl-features sets lock --same-meaning amount_cv_30d --reason "NULLIF in place of IF"
    """
    if same_meaning and not reason:
        raise click.UsageError("--same-meaning needs --reason: somebody vouches for it")
    today = datetime.now(UTC).date()
    with named_exit():
        before, now = recorded(), declared()
        found = compare(before, now, today, same_meaning=same_meaning)
        for change in found.changes:
            mark = "[red]refused[/red]" if change.why_refused else "[green]compatible[/green]"
            console.print(f"{mark} {change}", highlight=False, soft_wrap=True)
        if found.refused:
            raise DeclarationsChanged(f"{len(found.refused)} changes are refused; nothing was recorded")
        if check and found.changes:
            raise DeclarationsChanged("the lock file is not up to date; run `bnpl-features sets lock`, and commit it")
    if not found.changes:
        console.print(f"{len(now.features)} features, {len(now.sets)} sets: as recorded")
    elif not check:
        vouched = [Accepted(name, today.isoformat(), reason) for name in same_meaning]
        lock_path().write_text(Lock(now.features, now.sets, (*before.accepted, *vouched)).to_toml(), encoding="utf-8")
        console.print(f"recorded in {lock_path()}")


@sets.command()
@click.argument("feature_set", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def readers(feature_set: str | None, as_json: bool) -> None:
    """Who read a set, or any, within a day.

    Example: bnpl-features sets readers behavioural@1
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        found = readers_of(target.client, target.keyspace, feature_set)
    if as_json:
        print_json([vars(reader) for reader in found])
    else:
        rows = [(one.feature_set, one.release, one.name, moment(one.seen_at)) for one in found]
        print_table("Readers", ("set", "release", "reader", "last seen (UTC)"), rows)


@sets.command()
@click.argument("feature_set", type=click.Choice([one.name for one in SETS]))
@click.option("--partition", type=DAY, help="One day (default: yesterday, UTC).")
def publish(feature_set: str, partition: datetime | None) -> None:
    """Publish one set of a day that is computed and checked; other sets stay what they are.

    Example: bnpl-features sets publish behavioural@2
    """
    one = set_named(feature_set)
    asset = "published_features" if one is BEHAVIOURAL else f"published_{one.label}"
    code = launch("publish_sets", days_between(partition, None, None), {"user": acting_user()}, [asset])
    if code:
        sys.exit(code)


@sets.command()
@click.argument("feature_set")
@click.option("--reason", required=True, help="Why; it lands in the audit trail.")
@click.option("--even-if-read", is_flag=True, help="Also where somebody read it within a day.")
def withdraw(feature_set: str, reason: str, even_if_read: bool) -> None:
    """Serve a set no more: its readers answer `unavailable`, and its memory is freed by the next publication.

    Example: bnpl-features sets withdraw behavioural@1 --reason "every model moved to behavioural@2"
    """
    with named_exit(), open_target(load_settings().store) as target, named_errors(url_of(target.client)):
        if not even_if_read:
            _refuse_while_read(target, feature_set)
        of_set = target.of(feature_set)
        version = withdraw_set(of_set.client, of_set.keyspace, actor=acting_user(), reason=reason)
    console.print(f"{feature_set} is withdrawn; version {version} is removed by the next publication")


def _refuse_while_read(target: Target, feature_set: str) -> None:
    found: list[Reader] = readers_of(target.client, target.keyspace, feature_set)
    if found:
        raise PublicationRefused(
            f"{len(found)} readers read {feature_set} within a day, the latest {found[0].name} at "
            f"{moment(found[0].seen_at)} UTC; move them first (`bnpl-features sets readers`), or say --even-if-read"
        )
