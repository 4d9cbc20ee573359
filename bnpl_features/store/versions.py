"""What versions there are in the store, in which state, and who did what to them.

staging -> verified -> active -> retained -> retiring -> (gone),    failed from the first two
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Any

from bnpl_features.errors import LayoutMismatch, VersionMissing
from bnpl_features.store.buckets import server_of
from bnpl_features.store.connection import StoreClient, borrowed_connection, text
from bnpl_features.store.failover import await_replicas
from bnpl_features.store.keyspace import FIRST_SET, Keyspace
from bnpl_features.store.manifest import Manifest

GRACE_SECONDS = 60.0
"""How long a version stays after it was switched away from: well over any reader's staleness bound."""

DETAILS = ("since", "buckets", "key", "set", "erasures")
"""What stands beside a version's state: `since` when, how many buckets, the customer key's check value, the feature
set, how many acts of erasure it has seen."""


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
    feature_set: str = FIRST_SET


@dataclass(frozen=True)
class AuditEntry:
    at: float
    act: str
    version: int
    previous: str
    actor: str
    reason: str


def active_version(client: StoreClient, keyspace: Keyspace) -> int | None:
    """The version of the keyspace's feature set that is served."""
    pointer = client.get(keyspace.active)
    return int(pointer) if pointer else None


def manifest_of(client: StoreClient, keyspace: Keyspace, version: int) -> Manifest:
    text = client.get(keyspace.manifest(version))
    if text is None:
        raise VersionMissing(f"version {version} has no manifest; `bnpl-features versions` lists what there is")
    return Manifest.from_json(text)


def list_versions(client: StoreClient, keyspace: Keyspace) -> list[Version]:
    """Every version of every feature set in the store, newest first."""
    states = {text(key): text(value) for key, value in client.hgetall(keyspace.states).items()}
    numbers = sorted((int(text(member)) for member in client.zrange(keyspace.versions, 0, -1)), reverse=True)
    manifests = client.mget([keyspace.manifest(number) for number in numbers]) if numbers else []
    return [
        Version(
            number,
            State(states.get(str(number), State.FAILED)),
            float(states.get(f"{number}:since", 0)),
            _readable(manifest),
            states.get(f"{number}:set", FIRST_SET),
        )
        for number, manifest in zip(numbers, manifests, strict=True)
    ]


def audit_trail(client: StoreClient, keyspace: Keyspace, count: int = 50) -> list[AuditEntry]:
    """The newest acts first."""
    return [audit_entry(fields or {}) for _, fields in client.xrevrange(keyspace.audit, count=count) or []]


def audit_entry(fields: Mapping[Any, Any]) -> AuditEntry:
    """An entry of the stream, as the store answers it."""
    entry = {text(key): text(value) for key, value in fields.items()}
    return AuditEntry(
        at=float(entry["at"]),
        act=entry["act"],
        version=int(entry["version"]),
        previous=entry["previous"],
        actor=entry["actor"],
        reason=entry["reason"],
    )


def allocate(client: StoreClient, keyspace: Keyspace, buckets: int, key_check: str) -> int:
    """The next version number, marked as staging; the number is also the fencing token.

    The bucket count is kept from the first moment, so that whoever finds the version abandoned can remove all of it.
    """
    keys = [keyspace.counter, keyspace.active, keyspace.versions, keyspace.states]
    return int(run_script(client, "allocate", keys, [buckets, key_check, keyspace.feature_set]))


def mark(client: StoreClient, keyspace: Keyspace, version: int, state: State) -> None:
    client.hset(keyspace.states, mapping={str(version): state.value, f"{version}:since": str(int(time.time()))})


def retained_versions(client: StoreClient, keyspace: Keyspace) -> list[Version]:
    """The set's retained versions, the one that was active last first: after a rollback that is not the newest."""
    return retained_among(list_versions(client, keyspace), keyspace.feature_set)


def retained_among(versions: Sequence[Version], feature_set: str) -> list[Version]:
    retained = [one for one in versions if one.state is State.RETAINED and one.feature_set == feature_set]
    return sorted(retained, key=lambda version: version.since, reverse=True)


def run_script(
    client: StoreClient,
    name: str,
    keys: Sequence[str],
    arguments: Sequence[str | int | float],
    *,
    replicated: bool = False,
) -> Any:
    """What the script of that name in `scripts/` returns; it is sent in full, so no server needs to know it before.

    With `replicated` it also waits until the replicas have what it wrote, as long as `failover.ACKNOWLEDGED_SECONDS`.
    """
    with borrowed_connection(server_of(client, keys[0])) as connection:
        connection.send_command("EVAL", _script_text(name), len(keys), *keys, *arguments)
        result = connection.read_response()
        if replicated:
            await_replicas(client, connection)
    return result


def _readable(manifest: bytes | str | None) -> Manifest | None:
    """None for a damaged manifest as well: one must not keep the other versions from being swept or rolled back to."""
    try:
        return Manifest.from_json(manifest) if manifest else None
    except LayoutMismatch:
        return None


@lru_cache(maxsize=8)
def _script_text(name: str) -> str:
    return resources.files("bnpl_features.store").joinpath(f"scripts/{name}.lua").read_text()
