"""Where a customer's record is, the same for one as for many."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpl_features.errors import SettingsError
from bnpl_features.store.keyspace import CustomerKey, Keyspace, bucket_count, bucket_of, field_of
from bnpl_features.store.publishing.spool import Ranges

UNHURRIED = settings(deadline=None)
"""A shared machine may stall for longer than Hypothesis grants an example."""

digests = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50)
buckets = st.integers(1, 2**31)


@UNHURRIED
@given(digests, buckets)
def test_one_digest_and_many_are_in_the_same_buckets(numbers: list[int], count: int) -> None:
    one_by_one = [bucket_of(number.to_bytes(8, "big"), count) for number in numbers]

    together = Ranges(count, 1).bucket_of_digests(np.array(numbers, dtype=np.uint64))

    assert together.tolist() == one_by_one
    assert all(0 <= bucket < count for bucket in one_by_one)


@UNHURRIED
@given(digests, buckets, st.integers(1, 16))
def test_digests_in_order_are_buckets_and_ranges_in_order(numbers: list[int], count: int, ranges: int) -> None:
    ordered = np.array(sorted(numbers), dtype=np.uint64)
    spread = Ranges(count, min(ranges, count))

    assert (np.diff(spread.bucket_of_digests(ordered)) >= 0).all()
    assert (np.diff(spread.of_digests(ordered)) >= 0).all()
    assert spread.of_digests(ordered).max() < spread.count


def test_the_highest_digest_is_in_the_last_bucket() -> None:
    assert bucket_of(b"\xff" * 8, 1_000) == 999


@pytest.mark.parametrize(("customers", "expected"), [(0, 1), (1, 1), (64, 1), (65, 2), (1_000_000, 15_625)])
def test_a_bucket_holds_64_customers_on_average(customers: int, expected: int) -> None:
    assert bucket_count(customers) == expected


@UNHURRIED
@given(st.lists(st.text(), max_size=20), st.binary(max_size=64))
def test_digests_of_many_are_the_digests_of_each(customer_ids: list[str], secret: bytes) -> None:
    key = CustomerKey(secret)

    assert key.digests(customer_ids) == b"".join(key.digest(customer_id) for customer_id in customer_ids)


def test_a_digest_is_one_that_any_language_can_compute() -> None:
    expected = hashlib.blake2b(b"customer-1", digest_size=8, key=b"secret", person=b"bnpl-customer").digest()

    assert CustomerKey(b"secret").digest("customer-1") == expected
    assert CustomerKey(b"other").digest("customer-1") != expected
    assert field_of(expected) == expected[2:]


def test_half_a_surrogate_pair_has_a_digest_of_its_own() -> None:
    digests = {CustomerKey().digest(text) for text in ("\ud800", "\udc00", "?", "")}

    assert len(digests) == 4


def test_the_check_tells_secrets_apart_and_gives_none_away() -> None:
    key = CustomerKey(b"secret")

    assert key.check == CustomerKey(b"secret").check != CustomerKey(b"other").check
    assert "secret" not in key.check + repr(key)


def test_a_customer_key_that_is_too_long_is_refused() -> None:
    assert len(CustomerKey(b"k" * 64).digest("x")) == 8

    with pytest.raises(SettingsError, match="has 65 bytes, at most 64 are allowed; use 32 random bytes"):
        CustomerKey(b"k" * 65)


@pytest.mark.parametrize("namespace", ["", "a b", "a:b", "{a}", "a}", "a\r\nb"])
def test_a_namespace_that_would_break_keys_is_refused(namespace: str) -> None:
    with pytest.raises(SettingsError, match="use letters, digits"):
        Keyspace(namespace)


def test_control_keys_share_a_slot_and_buckets_spread() -> None:
    keys = Keyspace("prod-eu")
    control = [keys.active, keys.counter, keys.versions, keys.states, keys.audit, keys.lease, keys.manifest(3)]

    assert all(key.startswith("{prod-eu}:") for key in control)
    assert len(set(control)) == len(control)
    assert keys.bucket(3, 12) == b"prod-eu:b:3:12"
