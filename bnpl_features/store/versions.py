"""The life of versions in the store: allocate, mark, activate, roll back, retire, list, audit.

staging -> verified -> active -> retained -> retiring -> (gone),    failed from the first two
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Any

import redis

from bnpl_features.errors import LayoutMismatch, PublicationRefused, VersionMissing
from bnpl_features.store.connection import StoreClient, text
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.manifest import Manifest

GRACE_SECONDS = 60.0
"""How long a version stays after it was switched away from: well over any reader's staleness bound."""

RETAINED_VERSIONS = 1
MANIFEST_AFTERLIFE_SECONDS = 90 * 86_400
_UNLINK_STEP = 500
_UNLINK_PAUSE_SECONDS = 0.002


class State(StrEnum):
    STAGING = "staging"
    VERIFIED = "verified"
    ACTIVE = "active"
    RETAINED = "retained"
    RETIRING = "retiring"
    FAILED = "failed"


@dataclass(frozen=True)
class Version:
    """A version that exists in the store; `manifest` is None until staging has ended, or where it is damaged."""

    number: int
    state: State
    since: float
    manifest: Manifest | None


@dataclass(frozen=True)
class AuditEntry:
    at: float
    act: str
    version: int
    previous: str
    actor: str
    reason: str


def active_version(client: StoreClient, keyspace: Keyspace) -> int | None:
    pointer = client.get(keyspace.active)
    return int(pointer) if pointer else None


def manifest_of(client: StoreClient, keyspace: Keyspace, version: int) -> Manifest:
    text = client.get(keyspace.manifest(version))
    if text is None:
        raise VersionMissing(f"version {version} has no manifest; `bnpl-features versions` lists what there is")
    return Manifest.from_json(text)


def list_versions(client: StoreClient, keyspace: Keyspace) -> list[Version]:
    """Every version in the store, newest first."""
    states = {text(key): text(value) for key, value in client.hgetall(keyspace.states).items()}
    numbers = sorted((int(text(member)) for member in client.zrange(keyspace.versions, 0, -1)), reverse=True)
    manifests = client.mget([keyspace.manifest(number) for number in numbers]) if numbers else []
    return [
        Version(
            number,
            State(states.get(str(number), State.FAILED)),
            float(states.get(f"{number}:since", 0)),
            _readable(manifest),
        )
        for number, manifest in zip(numbers, manifests, strict=True)
    ]


def audit_trail(client: StoreClient, keyspace: Keyspace, count: int = 50) -> list[AuditEntry]:
    """The newest acts first."""
    entries = []
    for _, fields in client.xrevrange(keyspace.audit, count=count) or []:
        entry = {text(key): text(value) for key, value in (fields or {}).items()}
        entries.append(
            AuditEntry(
                at=float(entry["at"]),
                act=entry["act"],
                version=int(entry["version"]),
                previous=entry["previous"],
                actor=entry["actor"],
                reason=entry["reason"],
            )
        )
    return entries


def allocate(client: StoreClient, keyspace: Keyspace, buckets: int) -> int:
    """The next version number, marked as staging; the number is also the fencing token.

    The bucket count is kept from the first moment, so that whoever finds the version abandoned can remove all of it.
    """
    version = int(client.incr(keyspace.counter))
    with client.pipeline(transaction=True) as pipeline:
        pipeline.zadd(keyspace.versions, {str(version): time.time()})
        pipeline.hset(keyspace.states, mapping=_marks(version, State.STAGING) | {f"{version}:buckets": str(buckets)})
        pipeline.execute()
    return version


def mark(client: StoreClient, keyspace: Keyspace, version: int, state: State) -> None:
    client.hset(keyspace.states, mapping=_marks(version, state))


def activate(
    client: StoreClient, keyspace: Keyspace, version: int, *, expected: int | None, actor: str, reason: str
) -> int | None:
    """Switch to a verified version if `expected` is still the active one; returns the version before.

    Raises `PublicationRefused` where another publication came first or this one is the older.
    """
    return _switch(client, keyspace, version, expected, "publish", actor, reason)


def roll_back(
    client: StoreClient, keyspace: Keyspace, version: int | None = None, *, actor: str, reason: str
) -> tuple[int, int]:
    """Switch back to a retained version (unless named, the one that was active last); returns (now, before)."""
    current = active_version(client, keyspace)
    if current is None:
        raise VersionMissing("nothing is active, so there is nothing to roll back from; publish a version first")
    retained = [v.number for v in _retained(client, keyspace)]
    if version is None and not retained:
        raise VersionMissing("no retained version to roll back to; publish a corrected one instead")
    target = version if version is not None else retained[0]
    if target not in retained:
        listed = ", ".join(map(str, retained)) or "none"
        raise VersionMissing(f"version {target} is not retained (retained: {listed}), so it cannot be rolled back to")
    _switch(client, keyspace, target, current, "rollback", actor, reason)
    return target, current


def retire(
    client: StoreClient,
    keyspace: Keyspace,
    version: int,
    *,
    actor: str,
    reason: str,
    grace_seconds: float = GRACE_SECONDS,
) -> None:
    """Remove a version's records in small steps; raises `VersionMissing` for the active one or one in its grace."""
    _mark_for_removal(client, keyspace, version, State.RETIRING, actor, reason, grace_seconds)
    _remove(client, keyspace, version)


def fail(client: StoreClient, keyspace: Keyspace, version: int, *, actor: str, reason: str) -> None:
    """Mark a version that never became active as failed and free its memory."""
    _mark_for_removal(client, keyspace, version, State.FAILED, actor, reason, GRACE_SECONDS)
    _remove(client, keyspace, version)


def sweep(
    client: StoreClient,
    keyspace: Keyspace,
    *,
    keep: int = RETAINED_VERSIONS,
    grace_seconds: float = GRACE_SECONDS,
) -> list[int]:
    """Remove what dead publishers left behind and what is past retention; call it holding the publisher's lease."""
    kept = [version.number for version in _retained(client, keyspace)[:keep]]
    removed = []
    for version in list_versions(client, keyspace):
        if version.state is State.ACTIVE or version.number in kept:
            continue
        reason = "past retention" if version.state is State.RETAINED else f"left behind while {version.state}"
        try:
            retire(client, keyspace, version.number, actor="sweep", reason=reason, grace_seconds=grace_seconds)
        except VersionMissing:
            continue
        removed.append(version.number)
    return removed


def _retained(client: StoreClient, keyspace: Keyspace) -> list[Version]:
    """The retained versions, the one that was active last first: after a rollback that is not the newest."""
    retained = [version for version in list_versions(client, keyspace) if version.state is State.RETAINED]
    return sorted(retained, key=lambda version: version.since, reverse=True)


def _readable(manifest: bytes | str | None) -> Manifest | None:
    """None for a damaged manifest as well: one must not keep the other versions from being swept or rolled back to."""
    try:
        return Manifest.from_json(manifest) if manifest else None
    except LayoutMismatch:
        return None


def _switch(
    client: StoreClient, keyspace: Keyspace, version: int, expected: int | None, mode: str, actor: str, reason: str
) -> int | None:
    script = client.register_script(script_text("activate"))
    try:
        verdict, detail = script(
            keys=[keyspace.active, keyspace.states, keyspace.audit],
            args=[version, "" if expected is None else expected, mode, actor, reason, keyspace.events],
        )
    except (redis.ConnectionError, redis.TimeoutError):
        # Was only the reply lost? Nobody else switches to this version.
        if active_version(client, keyspace) != version:
            raise
        return expected
    found = detail.decode()
    if verdict == b"ok":
        return int(found) if found else None
    refusals = {
        b"moved": f"version {found or 'none'} is active, not {expected}: another publication or rollback came first",
        b"already": f"version {version} is active already",
        b"state": f"version {version} is {found}, which does not allow it",
        b"older": f"version {version} is older than the active version {found}; roll back by name if you mean it",
    }
    raise PublicationRefused(f"{refusals[verdict]}; nothing was changed")


def _mark_for_removal(
    client: StoreClient, keyspace: Keyspace, version: int, mark_as: State, actor: str, reason: str, grace_seconds: float
) -> None:
    script = client.register_script(script_text("retire"))
    verdict, detail = script(
        keys=[keyspace.active, keyspace.states, keyspace.audit],
        args=[version, actor, reason, grace_seconds, mark_as.value],
    )
    if verdict == b"active":
        raise VersionMissing(f"version {version} is the active one and is never retired; activate another first")
    if verdict == b"missing":
        raise VersionMissing(f"there is no version {version}; `bnpl-features versions` lists what there is")
    if verdict == b"grace":
        raise VersionMissing(
            f"version {version} was active {detail.decode()} s ago, and readers may still use it: "
            f"retire it after {grace_seconds:g} s"
        )


def _remove(client: StoreClient, keyspace: Keyspace, version: int) -> None:
    buckets = int(client.hget(keyspace.states, f"{version}:buckets") or 0)
    prefix = keyspace.bucket_prefix(version)
    for start in range(0, buckets, _UNLINK_STEP):
        client.unlink(*(prefix + b"%d" % bucket for bucket in range(start, min(start + _UNLINK_STEP, buckets))))
        time.sleep(_UNLINK_PAUSE_SECONDS)
    with client.pipeline(transaction=True) as pipeline:
        pipeline.zrem(keyspace.versions, str(version))
        pipeline.hdel(keyspace.states, str(version), f"{version}:since", f"{version}:buckets")
        pipeline.expire(keyspace.manifest(version), MANIFEST_AFTERLIFE_SECONDS)
        pipeline.execute()


def _marks(version: int, state: State) -> dict[Any, Any]:
    return {str(version): state.value, f"{version}:since": str(int(time.time()))}


@lru_cache(maxsize=8)
def script_text(name: str) -> str:
    return resources.files("bnpl_features.store").joinpath(f"scripts/{name}.lua").read_text()
