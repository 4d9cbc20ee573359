"""A customer who must not be stored any more: a tombstone, the records removed, and a later publication kept from
bringing them back.

A tombstone names a digest, not a customer. Publications stage whom the warehouse hands over; before a version can be
activated, everyone with a tombstone is taken out of it, and the switch itself compares how many acts of erasure the
version has seen with how many there were.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bnpl_features.errors import InputError, PublicationRefused
from bnpl_features.store.buckets import each
from bnpl_features.store.connection import StoreClient, text
from bnpl_features.store.failover import persistently
from bnpl_features.store.keyspace import CustomerKey, Keyspace, bucket_of, field_of
from bnpl_features.store.velocity.applying import forget, remember
from bnpl_features.store.velocity.letters import remove_mentions
from bnpl_features.store.versions import State, Version, list_versions, run_script
from bnpl_features.store.wire import command


@dataclass(frozen=True)
class Tombstone:
    """`digest` is of the customer key whose check value is `key_check`; `at` is seconds since the epoch."""

    key_check: str
    digest: bytes
    at: float
    actor: str
    reason: str


@dataclass(frozen=True)
class Removal:
    """One version, and whether it held the customer before; read afterwards, it does not."""

    version: int
    state: State
    held: bool


def erase(
    client: StoreClient, keyspace: Keyspace, keys: Sequence[CustomerKey], customer_id: str, *, actor: str, reason: str
) -> list[Removal]:
    """Remove a customer from every version, and the customer's velocity, for good; returns what each version held.

    `keys` are the customer keys in use, each version being read with its own. Raises `PublicationRefused` where a
    version was published with another, or where a record is still there when read back.
    """
    by_check = {key.check: key.digest(customer_id) for key in keys}
    for check, digest in by_check.items():
        _act(client, keyspace, check, digest, "erase", actor, reason)
    forget(client, keyspace, by_check.values(), int(time.time() * 1000))
    for stream in (keyspace.dead_letters, keyspace.purchases):
        remove_mentions(client, stream, customer_id)
    removals, strange = [], []
    for version in list_versions(client, keyspace):
        check, buckets = _made_with(client, keyspace, version)
        if check not in by_check:
            strange += [version.number] if buckets else []
        elif version.state is not State.STAGING:  # one that is being staged is settled before it can become active
            held = take_out(client, keyspace, version.number, buckets, [by_check[check]])
            removals.append(Removal(version.number, version.state, bool(held)))
    if strange:
        raise PublicationRefused(
            f"version {' and '.join(map(str, strange))} was published with a customer key that is not at hand, so the "
            "customer cannot be found in it; set BNPL_PREVIOUS_CUSTOMER_KEYS, or retire the version, and erase again"
        )
    return removals


def readmit(
    client: StoreClient, keyspace: Keyspace, keys: Sequence[CustomerKey], customer_id: str, *, actor: str, reason: str
) -> None:
    """Lift a customer's tombstone: the next publication serves the customer again. Raises `InputError` without one."""
    lifted = [_act(client, keyspace, key.check, key.digest(customer_id), "readmit", actor, reason) for key in keys]
    if not any(lifted):
        raise InputError("this customer has no tombstone; `bnpl-features erasures` counts those that there are")
    remember(client, keyspace, [key.digest(customer_id) for key in keys], int(time.time() * 1000))


def restore(client: StoreClient, keyspace: Keyspace, stones: Iterable[Tombstone]) -> int:
    """Write tombstones again that a store has lost, and take their customers out; returns how many were missing.

    Doing it again changes nothing. Raises `PublicationRefused` where a record is still there when read back.
    """
    there = {(stone.key_check, stone.digest) for stone in tombstones(client, keyspace)}
    missing = [stone for stone in stones if (stone.key_check, stone.digest) not in there]
    for stone in missing:
        _act(client, keyspace, stone.key_check, stone.digest, "erase", stone.actor, f"{stone.reason} (restored)")
    forget(client, keyspace, [stone.digest for stone in missing], int(time.time() * 1000))
    for version in list_versions(client, keyspace):
        check, buckets = _made_with(client, keyspace, version)
        if version.state is not State.STAGING:  # one that is being staged is settled before it can become active
            digests = [stone.digest for stone in missing if stone.key_check == check]
            take_out(client, keyspace, version.number, buckets, digests)
    return len(missing)


def tombstones(client: StoreClient, keyspace: Keyspace) -> list[Tombstone]:
    """All of them, the newest first."""
    found = []
    for name, value in client.hgetall(keyspace.erased).items():
        check, _, digest = text(name).partition(":")
        act = json.loads(value)
        found.append(Tombstone(check, bytes.fromhex(digest), float(act["at"]), act["actor"], act["reason"]))
    return sorted(found, key=lambda tombstone: tombstone.at, reverse=True)


def tombstone_of(
    client: StoreClient, keyspace: Keyspace, keys: Sequence[CustomerKey], customer_id: str
) -> Tombstone | None:
    """The customer's, under the first of the keys that has one."""
    for key in keys:
        digest = key.digest(customer_id)
        value = client.hget(keyspace.erased, f"{key.check}:{digest.hex()}")
        if value is not None:
            act = json.loads(value)
            return Tombstone(key.check, digest, float(act["at"]), act["actor"], act["reason"])
    return None


def erased_among(
    client: StoreClient, keyspace: Keyspace, keys: Sequence[CustomerKey], customer_ids: Iterable[str]
) -> set[str]:
    """Those of the customers that have a tombstone."""
    stones = {(stone.key_check, stone.digest) for stone in tombstones(client, keyspace)}
    return {
        customer_id
        for customer_id in (customer_ids if stones else ())
        if any((key.check, key.digest(customer_id)) in stones for key in keys)
    }


class CarryOver:
    """Repeats tombstones that were written under previous customer keys under the present one, for customers that
    a publication meets."""

    def __init__(
        self, client: StoreClient, keyspace: Keyspace, key: CustomerKey, previous_keys: Sequence[CustomerKey]
    ) -> None:
        stones = tombstones(client, keyspace)
        self._erased = {
            previous: {stone.digest: stone for stone in stones if stone.key_check == previous.check}
            for previous in previous_keys
        }
        self._carried = {stone.digest for stone in stones if stone.key_check == key.check}
        self._client, self._keyspace, self._key = client, keyspace, key

    def meet(self, customer_ids: Sequence[str]) -> None:
        for previous, erased in self._erased.items():
            if not erased:
                continue
            for customer_id in customer_ids:
                stone = erased.get(previous.digest(customer_id))
                if stone is not None:
                    self._carry(stone, self._key.digest(customer_id))

    def _carry(self, stone: Tombstone, digest: bytes) -> None:
        if digest not in self._carried:
            reason = f"{stone.reason} (carried over to a new customer key)"
            _act(self._client, self._keyspace, self._key.check, digest, "erase", stone.actor, reason)
            self._carried.add(digest)


def settle_erasures(client: StoreClient, keyspace: Keyspace, version: int) -> int:
    """Take everyone with a tombstone out of a version that is not active yet; returns how many were in it."""

    def attempt() -> int:
        # Counted before they are read: one that is written in between is counted next time.
        acts = text(client.get(keyspace.erasures) or b"0")
        about = [f"{version}:key", f"{version}:buckets"]
        check, buckets = (text(value or b"") for value in client.hmget(keyspace.states, about))
        digests = [stone.digest for stone in tombstones(client, keyspace) if stone.key_check == check]
        taken = take_out(client, keyspace, version, int(buckets or 0), digests)
        client.hset(keyspace.states, f"{version}:erasures", acts)
        return taken

    return persistently(client, attempt)


def take_out(client: StoreClient, keyspace: Keyspace, version: int, buckets: int, digests: Sequence[bytes]) -> int:
    """Remove records from a version, and read back that they are gone; returns how many there were.

    The replicas have removed them as well, so that none comes back with a failover. Raises `PublicationRefused` for one
    that is still there.
    """
    fields: dict[bytes, list[bytes]] = {}
    for digest in digests:
        fields.setdefault(keyspace.bucket(version, bucket_of(digest, buckets)), []).append(field_of(digest))
    removed = sum(
        int(reply)
        for _, reply in each(client, list(fields), lambda key: command(b"HDEL", key, *fields[key]), replicated=True)
    )
    for key, reply in each(client, list(fields), lambda key: command(b"HMGET", key, *fields[key])):
        if any(record is not None for record in reply):
            raise PublicationRefused(
                f"a record in bucket {key.decode()} is still there after it was removed: something else writes to this "
                "namespace; stop it, and erase again"
            )
    return removed


def _made_with(client: StoreClient, keyspace: Keyspace, version: Version) -> tuple[str, int]:
    """The check value of a version's customer key, and its number of buckets; 0 where it is gone by now.

    Not from the manifest, which may be damaged: an earlier release noted the key there alone, though.
    """
    about = [f"{version.number}:key", f"{version.number}:buckets"]
    check, buckets = (text(value or b"") for value in client.hmget(keyspace.states, about))
    return check or (version.manifest.key_check if version.manifest else ""), int(buckets or 0)


def _act(client: StoreClient, keyspace: Keyspace, check: str, digest: bytes, act: str, actor: str, reason: str) -> bool:
    keys = [keyspace.erased, keyspace.erasures, keyspace.audit]
    verdict, *_ = run_script(client, "erase", keys, [f"{check}:{digest.hex()}", act, actor, reason], replicated=True)
    return bool(verdict == b"ok")
