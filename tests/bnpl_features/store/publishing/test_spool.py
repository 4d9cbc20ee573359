"""Customers divided by bucket range: each in one range, each range in the order of its buckets."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.errors import PublicationRefused
from bnpl_features.store.keyspace import bucket_count, bucket_of, field_of
from bnpl_features.store.publishing import spool as spool_module
from bnpl_features.store.publishing.spool import Ranges, Spool

RANGES = st.integers(1, 5_000).flatmap(lambda buckets: st.builds(Ranges, st.just(buckets), st.integers(1, buckets)))
DIGESTS = st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=60, unique=True)


@given(RANGES)
def test_ranges_partition_the_buckets_in_order(ranges: Ranges) -> None:
    parts = [ranges.buckets_of(number) for number in range(ranges.count)]

    assert [bucket for part in parts for bucket in part] == list(range(ranges.buckets))
    sizes = {len(part) for part in parts}
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@given(RANGES, DIGESTS)
def test_a_customers_range_is_the_one_that_has_its_bucket(ranges: Ranges, digests: list[bytes]) -> None:
    numbers = np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)

    for digest, owner in zip(digests, ranges.of_digests(numbers).tolist(), strict=True):
        assert bucket_of(digest, ranges.buckets) in ranges.buckets_of(owner)


@given(st.integers(1, 2**31), DIGESTS)
def test_buckets_of_many_are_those_of_each(buckets: int, digests: list[bytes]) -> None:
    numbers = np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)

    found = Ranges(buckets, 1).bucket_of_digests(numbers).tolist()

    assert found == [bucket_of(digest, buckets) for digest in digests]


@given(st.integers(1, 10**8))
def test_there_are_as_many_ranges_as_a_quarter_million_customers_each_needs(customers: int) -> None:
    ranges = Ranges.for_customers(customers, bucket_count(customers))

    assert ranges.count == min(ranges.buckets, -(-customers // spool_module.CUSTOMERS_PER_RANGE))


@given(st.integers(1, 40), st.data())
def test_every_customer_comes_back_once_in_the_order_of_digests(buckets: int, data: st.DataObject) -> None:
    ranges = Ranges(buckets, data.draw(st.integers(1, buckets)))
    digests = data.draw(DIGESTS)
    cut = data.draw(st.integers(0, len(digests)))
    records = {digest: bytes([number, 255 - number]) for number, digest in enumerate(digests)}
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder) / "rows", ranges, record_bytes=2)
        for part in (digests[:cut], digests[cut:]):
            rows = np.frombuffer(b"".join(records[digest] for digest in part), dtype=np.uint8).reshape(-1, 2)
            spool.add(b"".join(part), rows)
        spool.close()

        found = [spool.rows_of(number) for number in range(ranges.count)]

    in_order = sorted(digests)
    assert spool.customers == len(digests)
    assert [digest for rows in found for digest in rows.digests.tolist()] == [
        int.from_bytes(digest, "big") for digest in in_order
    ]
    pairs = [bytes(pair) for rows in found for pair in rows.pairs]
    assert pairs == [field_of(digest) + records[digest] for digest in in_order]


def test_a_range_of_nobody_is_empty(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Ranges(2, 2), record_bytes=2)
    spool.add(b"\x00" * 8, np.zeros((1, 2), dtype=np.uint8))
    spool.close()

    assert [len(spool.rows_of(number)) for number in (0, 1)] == [1, 0]


def test_one_digest_twice_is_refused_without_naming_anybody(tmp_path: Path) -> None:
    spool = Spool(tmp_path, Ranges(1, 1), record_bytes=2)
    spool.add(b"\x01" * 24, np.zeros((3, 2), dtype=np.uint8))
    spool.close()

    with pytest.raises(PublicationRefused, match=r"2 records share their digest.*a customer appears twice.*key"):
        spool.rows_of(0)
