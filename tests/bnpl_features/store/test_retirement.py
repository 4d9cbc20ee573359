"""The end of versions: by hand, past retention, left behind; never the active one, never one that is still read."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from bnpl_features.errors import VersionMissing
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.retirement import Retention, retire, sweep
from bnpl_features.store.switching import roll_back
from bnpl_features.store.versions import State, audit_trail, list_versions, manifest_of, mark
from tests.bnpl_features.store.shop import BY, DAY, Shop, verified, wait_until


def test_retention_keeps_the_version_active_last_not_one_rolled_back_from(shop: Shop) -> None:
    shop.publish()
    shop.publish()
    roll_back(shop.client, shop.keyspace, **BY)
    time.sleep(0.01)
    shop.publish()

    removed = sweep(shop.client, shop.keyspace, retention=Retention(1), grace_seconds=0)

    assert removed == [2]
    assert {version.number: version.state for version in list_versions(shop.client, shop.keyspace)} == {
        3: State.ACTIVE,
        1: State.RETAINED,
    }


def test_the_active_version_is_never_retired(any_shop: Shop) -> None:
    any_shop.publish()

    with pytest.raises(VersionMissing, match="version 1 is the active one and is never retired"):
        retire(any_shop.client, any_shop.keyspace, 1, grace_seconds=0, **BY)

    assert len(any_shop.bucket_keys(1)) > 0


def test_a_version_in_its_grace_is_not_retired(any_shop: Shop) -> None:
    any_shop.publish()
    any_shop.publish()

    with pytest.raises(VersionMissing, match=r"version 1 was active [01] s ago.*retire it after 60 s"):
        retire(any_shop.client, any_shop.keyspace, 1, **BY)

    assert len(any_shop.bucket_keys(1)) > 0


def test_retiring_removes_every_bucket_and_keeps_the_manifest_for_the_auditor(any_shop: Shop) -> None:
    any_shop.publish(customers=2_000)
    any_shop.publish()

    retire(any_shop.client, any_shop.keyspace, 1, grace_seconds=0, **BY)

    assert any_shop.bucket_keys(1) == []
    assert [version.number for version in list_versions(any_shop.client, any_shop.keyspace)] == [2]
    assert manifest_of(any_shop.client, any_shop.keyspace, 1).customers == 2_000
    assert any_shop.client.ttl(any_shop.keyspace.manifest(1)) > 80 * 86_400
    assert audit_trail(any_shop.client, any_shop.keyspace)[0].act == "retire"


def test_sweeping_removes_what_is_past_retention_and_grace(shop: Shop) -> None:
    for day in range(4):
        shop.publish(day=DAY + timedelta(days=day), retention=Retention(3))

    removed = sweep(shop.client, shop.keyspace, retention=Retention(1), grace_seconds=0)

    assert removed == [2, 1]
    assert [version.number for version in list_versions(shop.client, shop.keyspace)] == [4, 3]


def test_sweeping_leaves_what_is_in_its_grace(shop: Shop) -> None:
    for _ in range(3):
        shop.publish()

    assert sweep(shop.client, shop.keyspace, retention=Retention(1)) == []
    assert [version.number for version in list_versions(shop.client, shop.keyspace)] == [3, 2, 1]


@pytest.mark.parametrize("state", [State.STAGING, State.VERIFIED, State.FAILED, State.RETIRING])
def test_sweeping_removes_what_the_dead_left_behind(shop: Shop, state: State) -> None:
    version = verified(shop)
    mark(shop.client, shop.keyspace, version, state)
    shop.client.hset(shop.keyspace.bucket(version, 0), "field", "record")

    removed = sweep(shop.client, shop.keyspace)

    assert removed == [version]
    assert shop.bucket_keys(version) == []
    assert audit_trail(shop.client, shop.keyspace)[0].reason == f"left behind while {state}"


def aged(shop: Shop, version: int, seconds: float) -> None:
    """As if the version had been switched away from that long ago."""
    shop.client.hset(shop.keyspace.states, f"{version}:since", str(time.time() - seconds))


def numbers(shop: Shop) -> list[int]:
    return [version.number for version in list_versions(shop.client, shop.keyspace)]


def test_retention_by_age_removes_a_version_that_count_would_keep(any_shop: Shop) -> None:
    for _ in range(3):
        any_shop.publish(retention=Retention(5))
    aged(any_shop, 1, 7_200)
    aged(any_shop, 2, 3_000)

    removed = sweep(any_shop.client, any_shop.keyspace, retention=Retention(5, seconds=3_600))

    assert removed == [1]
    assert numbers(any_shop) == [3, 2]


def test_retention_by_age_and_count_keeps_what_both_allow(shop: Shop) -> None:
    for _ in range(4):
        shop.publish(retention=Retention(5))
    for version, seconds in ((1, 400), (2, 300), (3, 200)):
        aged(shop, version, seconds)

    removed = sweep(shop.client, shop.keyspace, retention=Retention(2, seconds=3_600))

    assert removed == [1]


def test_retention_of_no_version_keeps_the_active_one_alone(shop: Shop) -> None:
    for _ in range(3):
        shop.publish(retention=Retention(5))

    assert sweep(shop.client, shop.keyspace, retention=Retention(0), grace_seconds=0) == [2, 1]
    assert numbers(shop) == [3]


def test_the_active_version_is_kept_however_old_it_is(shop: Shop) -> None:
    shop.publish()
    aged(shop, 1, 10**7)

    assert sweep(shop.client, shop.keyspace, retention=Retention(1, seconds=60)) == []
    assert shop.active() == 1


def test_a_publication_applies_the_retention_that_it_is_given(shop: Shop) -> None:
    shop.publish()
    shop.publish()
    aged(shop, 1, 7_200)

    publication = shop.publish(retention=Retention(5, seconds=3_600))

    assert publication.removed == (1,)
    assert numbers(shop) == [3, 2]


def test_a_damaged_manifest_does_not_keep_a_version_from_being_swept(shop: Shop) -> None:
    for _ in range(3):
        shop.publish(retention=Retention(5))
    shop.client.set(shop.keyspace.manifest(1), "{")

    assert sweep(shop.client, shop.keyspace, retention=Retention(1), grace_seconds=0) == [1]
    assert shop.bucket_keys(1) == []


def test_a_version_that_was_retired_leaves_no_state_behind(shop: Shop) -> None:
    shop.publish()
    shop.publish()

    retire(shop.client, shop.keyspace, 1, grace_seconds=0, **BY)

    held = {key.decode().partition(":")[0] for key in shop.client.hkeys(shop.keyspace.states)}
    assert held == {"2"}


# --- versions that expire by themselves ------------------------------------------------------------------------------


def test_a_version_with_an_expiry_says_so_in_its_manifest_and_on_every_bucket(any_shop: Shop) -> None:
    began = time.time()

    manifest = any_shop.publish(customers=2_000, expire_seconds=7_200).manifest

    assert manifest.expires_at is not None
    assert began + 7_200 <= manifest.expires_at < time.time() + 7_200
    keys = any_shop.bucket_keys(1)
    assert len(keys) == 32
    assert all(7_100 < any_shop.client.ttl(key) <= 7_200 for key in keys)


def test_a_customer_of_a_version_that_has_expired_is_unavailable_not_unknown(any_shop: Shop) -> None:
    any_shop.publish(expire_seconds=1.5)
    with any_shop.reader() as reader:
        assert reader.get("customer-1").status is Status.STALE
        wait_until(lambda: not any_shop.bucket_keys(1), "the version expires", 5)
        time.sleep(0.05)

        answers = reader.get_many(["customer-1", "nobody"])

    assert {answer.status for answer in answers} == {Status.UNAVAILABLE}
    assert {answer.reason for answer in answers} == {"version 1 has expired, or is about to"}
    assert answers[0]["txn_count_30d"] == 0


def test_no_customer_is_unknown_in_the_moment_in_which_a_version_expires(shop: Shop) -> None:
    shop.publish(customers=30, expire_seconds=1.5)
    statuses = set()
    with shop.reader() as reader:
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            statuses.add(reader.get("customer-1").status)

    assert statuses == {Status.STALE, Status.UNAVAILABLE}


def test_a_version_that_has_expired_is_followed_by_the_next_publication(shop: Shop) -> None:
    shop.publish(expire_seconds=1)
    wait_until(lambda: not shop.bucket_keys(1), "the version expires", 5)

    shop.publish(mark=2)

    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 2
