"""The end of versions: retired by hand, past retention, failed, or left behind by a publisher that died."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnpl_features.errors import VersionMissing
from bnpl_features.store.buckets import each
from bnpl_features.store.connection import StoreClient, text
from bnpl_features.store.keyspace import FIRST_SET, Keyspace
from bnpl_features.store.versions import (
    DETAILS,
    GRACE_SECONDS,
    State,
    Version,
    list_versions,
    retained_among,
    run_script,
)
from bnpl_features.store.wire import command

MANIFEST_AFTERLIFE_SECONDS = 90 * 86_400
_UNLINK_STEP = 500
_UNLINK_PAUSE_SECONDS = 0.002


@dataclass(frozen=True)
class Retention:
    """How many versions are kept for a rollback, and for how long after they were switched away from (0: no limit)."""

    versions: int = 1
    seconds: float = 0.0


KEEP_ONE = Retention()


def retire(
    client: StoreClient,
    keyspace: Keyspace,
    version: int,
    *,
    actor: str,
    reason: str,
    grace_seconds: float = GRACE_SECONDS,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Remove a version's records in small steps; raises `VersionMissing` for the active one or one in its grace.

    `report` is told after each step how many buckets are removed, of how many.
    """
    _mark_for_removal(client, keyspace, version, State.RETIRING, actor, reason, grace_seconds)
    _remove(client, keyspace, version, report)


def fail(client: StoreClient, keyspace: Keyspace, version: int, *, actor: str, reason: str) -> None:
    """Mark a version that never became active as failed and free its memory."""
    _mark_for_removal(client, keyspace, version, State.FAILED, actor, reason, GRACE_SECONDS)
    _remove(client, keyspace, version)


def sweep(
    client: StoreClient,
    keyspace: Keyspace,
    *,
    retention: Retention = KEEP_ONE,
    grace_seconds: float = GRACE_SECONDS,
) -> list[int]:
    """Remove what dead publishers left behind and what is past retention, of every feature set; call it holding the
    publisher's lease."""
    versions = list_versions(client, keyspace)
    kept = [number for name in {one.feature_set for one in versions} for number in _kept(versions, name, retention)]
    removed = []
    for version in versions:
        if version.state is State.ACTIVE or version.number in kept:
            continue
        reason = "past retention" if version.state is State.RETAINED else f"left behind while {version.state}"
        try:
            retire(client, keyspace, version.number, actor="sweep", reason=reason, grace_seconds=grace_seconds)
        except VersionMissing:
            continue
        removed.append(version.number)
    return removed


def _kept(versions: Sequence[Version], feature_set: str, retention: Retention) -> list[int]:
    """What a set keeps for a rollback: nothing where none of its versions is active, since then it was withdrawn."""
    if not any(one.state is State.ACTIVE and one.feature_set == feature_set for one in versions):
        return []
    oldest = time.time() - retention.seconds if retention.seconds else 0.0
    retained = retained_among(versions, feature_set)[: retention.versions]
    return [one.number for one in retained if one.since >= oldest]


def _mark_for_removal(
    client: StoreClient, keyspace: Keyspace, version: int, mark_as: State, actor: str, reason: str, grace_seconds: float
) -> None:
    own = keyspace.of(text(client.hget(keyspace.states, f"{version}:set") or FIRST_SET))
    keys = [own.active, keyspace.states, keyspace.audit]
    verdict, detail = run_script(client, "retire", keys, [version, actor, reason, grace_seconds, mark_as.value])
    if verdict == b"active":
        raise VersionMissing(f"version {version} is the active one and is never retired; activate another first")
    if verdict == b"missing":
        raise VersionMissing(f"there is no version {version}; `bnpl-features versions` lists what there is")
    if verdict == b"grace":
        raise VersionMissing(
            f"version {version} was active {detail.decode()} s ago, and readers may still use it: "
            f"retire it after {grace_seconds:g} s"
        )


def _remove(
    client: StoreClient,
    keyspace: Keyspace,
    version: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    buckets = int(client.hget(keyspace.states, f"{version}:buckets") or 0)
    prefix = keyspace.bucket_prefix(version)
    for start in range(0, buckets, _UNLINK_STEP):
        keys = [prefix + b"%d" % bucket for bucket in range(start, min(start + _UNLINK_STEP, buckets))]
        for _ in each(client, keys, lambda key: command(b"UNLINK", key)):
            pass
        report(start + len(keys), buckets)
        time.sleep(_UNLINK_PAUSE_SECONDS)
    with client.pipeline(transaction=True) as pipeline:
        pipeline.zrem(keyspace.versions, str(version))
        pipeline.hdel(keyspace.states, str(version), *(f"{version}:{about}" for about in DETAILS))
        pipeline.expire(keyspace.manifest(version), MANIFEST_AFTERLIFE_SECONDS)
        pipeline.execute()
