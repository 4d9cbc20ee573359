"""The one step that changes what is served: moving a feature set's pointer to a version, forwards or back, or away."""

from __future__ import annotations

import redis

from bnpl_features.errors import PublicationRefused, VersionMissing
from bnpl_features.store.connection import StoreClient
from bnpl_features.store.erasure import settle_erasures
from bnpl_features.store.failover import TRANSIENT, persistently
from bnpl_features.store.keyspace import FIRST_SET, Keyspace
from bnpl_features.store.versions import State, active_version, list_versions, retained_versions, run_script


def activate(
    client: StoreClient, keyspace: Keyspace, version: int, *, expected: int | None, actor: str, reason: str
) -> int | None:
    """Switch to a verified version if `expected` is still the active one; returns the version before.

    Customers erased since it was staged are taken out of it first. Raises `PublicationRefused` where another
    publication came first or this one is the older.
    """
    return _switch(client, keyspace, version, expected, "publish", actor, reason)


def roll_back(
    client: StoreClient, keyspace: Keyspace, version: int | None = None, *, actor: str, reason: str
) -> tuple[int, int]:
    """Switch back to a retained version (unless named, the one that was active last); returns (now, before)."""
    current = active_version(client, keyspace)
    if current is None:
        raise VersionMissing("nothing is active, so there is nothing to roll back from; publish a version first")
    retained = [v.number for v in retained_versions(client, keyspace)]
    if version is None and not retained:
        raise VersionMissing("no retained version to roll back to; publish a corrected one instead")
    target = version if version is not None else retained[0]
    if target not in retained:
        listed = ", ".join(map(str, retained)) or "none"
        raise VersionMissing(f"version {target} is not retained (retained: {listed}), so it cannot be rolled back to")
    _switch(client, keyspace, target, current, "rollback", actor, reason)
    return target, current


def switch_to(client: StoreClient, keyspace: Keyspace, version: int, *, actor: str, reason: str) -> str:
    """Switch to a version by its number alone, whichever set it is of: forwards where it is verified, back where it is
    retained; returns its set. Raises what `activate` and `roll_back` raise, `VersionMissing` where there is none."""
    found = next((one for one in list_versions(client, keyspace) if one.number == version), None)
    if found is None:
        raise VersionMissing(f"there is no version {version}; `bnpl-features versions` lists what there is")
    own = keyspace.of(found.feature_set)
    if found.state is State.VERIFIED:
        activate(client, own, version, expected=active_version(client, own), actor=actor, reason=reason)
    else:
        roll_back(client, own, version, actor=actor, reason=reason)
    return found.feature_set


def withdraw(client: StoreClient, keyspace: Keyspace, *, actor: str, reason: str) -> int:
    """Serve the keyspace's feature set no more; returns the version that was active.

    Its readers answer `unavailable` from then on; its versions are removed by the next sweep after their grace. Raises
    `VersionMissing` where nothing of the set is active.
    """
    current = active_version(client, keyspace)
    if current is None:
        raise VersionMissing(f"nothing of {keyspace.feature_set} is active, so there is nothing to withdraw")
    keys = [keyspace.active, keyspace.states, keyspace.audit]
    verdict, found = run_script(client, "withdraw", keys, [current, actor, reason, keyspace.events], replicated=True)
    if verdict != b"ok":
        raise PublicationRefused(f"version {found.decode() or 'none'} became active meanwhile; nothing was changed")
    return current


def _switch(
    client: StoreClient, keyspace: Keyspace, version: int, expected: int | None, mode: str, actor: str, reason: str
) -> int | None:
    """Safe to repeat: a switch whose reply was lost is recognised, one that a failover lost is made again."""
    keys = [keyspace.active, keyspace.states, keyspace.audit, keyspace.erasures, keyspace.counter]
    expects = "" if expected is None else expected
    arguments = [version, expects, mode, actor, reason, keyspace.events, keyspace.feature_set, FIRST_SET]

    def attempt(again: bool = True) -> int | None:
        if again and active_version(client, keyspace) == version:
            return expected  # the attempt before had succeeded, and only its reply was lost
        verdict, detail = run_script(client, "activate", keys, arguments, replicated=True)
        while verdict == b"erased":
            settle_erasures(client, keyspace, version)
            verdict, detail = run_script(client, "activate", keys, arguments, replicated=True)
        if verdict != b"ok":
            raise PublicationRefused(f"{_refusal(verdict, detail.decode(), version, expected)}; nothing was changed")
        if active_version(client, keyspace) != version:
            raise redis.ConnectionError("a failover lost the switch")
        return int(detail) if detail else None

    try:
        return attempt(again=False)
    except TRANSIENT:
        return persistently(client, attempt)


def _refusal(verdict: bytes, found: str, version: int, expected: int | None) -> str:
    return {
        b"moved": f"version {found or 'none'} is active, not {expected}: another publication or rollback came first",
        b"already": f"version {version} is active already",
        b"set": f"version {version} is of feature set {found}, whose pointer is another",
        b"state": f"version {version} is {found}, which does not allow it",
        b"older": f"version {version} is older than the active version {found}; roll back by name if you mean it",
    }[verdict]
