"""A range is staged with an expiry, read back byte for byte, and sealed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bnpl_features.errors import PublicationRefused, VerificationFailed
from bnpl_features.store.connection import borrowed_connection
from bnpl_features.store.keyspace import FIELD_BYTES
from bnpl_features.store.publishing.spool import Ranges, SortedRows, Spool
from bnpl_features.store.publishing.staging import Bucket, buckets_of, seal_buckets, stage_buckets, verify_buckets
from tests.bnpl_features.store.shop import Shop

RECORD_BYTES = 56
RANGES = Ranges(buckets=20, count=1)


def test_staged_buckets_hold_the_rows_and_expire(any_shop: Shop, tmp_path: Path) -> None:
    rows, buckets = some_rows(any_shop, tmp_path)

    with borrowed_connection(any_shop.client) as connection:
        stage_buckets(connection, rows, buckets, ttl_seconds=100, again=False)
        verify_buckets(connection, rows, buckets)

    assert sum(any_shop.client.hlen(bucket.key) for bucket in buckets) == 1_000
    assert all(90 < any_shop.client.ttl(bucket.key) <= 100 for bucket in buckets)


def test_a_record_changed_in_the_store_is_found(shop: Shop, tmp_path: Path) -> None:
    rows, buckets = some_rows(shop, tmp_path)
    with borrowed_connection(shop.client) as connection:
        stage_buckets(connection, rows, buckets, ttl_seconds=100, again=False)
    victim = buckets[7]
    field = rows.pairs[victim.start, :FIELD_BYTES].tobytes()
    shop.client.hset(victim.key, field, b"\0" * RECORD_BYTES)

    with (
        pytest.raises(
            VerificationFailed, match=f"{victim.key.decode()} holds {victim.customers} customers that differ"
        ),
        borrowed_connection(shop.client) as connection,
    ):
        verify_buckets(connection, rows, buckets)


def test_a_bucket_in_another_order_is_the_same_bucket(shop: Shop, tmp_path: Path) -> None:
    rows, buckets = some_rows(shop, tmp_path)
    with borrowed_connection(shop.client) as connection:
        stage_buckets(connection, rows, buckets, ttl_seconds=100, again=False)
        bucket = buckets[0]
        field = rows.pairs[bucket.start, :FIELD_BYTES].tobytes()
        record = shop.client.hget(bucket.key, field)
        shop.client.hdel(bucket.key, field)
        shop.client.hset(bucket.key, field, record)

        verify_buckets(connection, rows, buckets)


def test_staging_twice_is_noticed(shop: Shop, tmp_path: Path) -> None:
    rows, buckets = some_rows(shop, tmp_path)

    with borrowed_connection(shop.client) as connection:
        stage_buckets(connection, rows, buckets, ttl_seconds=100, again=False)
        with pytest.raises(VerificationFailed, match=r"was there already and .*: something else writes"):
            stage_buckets(connection, rows, buckets, ttl_seconds=100, again=False)


def test_sealed_buckets_stay(any_shop: Shop, tmp_path: Path) -> None:
    rows, buckets = some_rows(any_shop, tmp_path)

    with borrowed_connection(any_shop.client) as connection:
        stage_buckets(connection, rows, buckets, ttl_seconds=100, again=False)
        seal_buckets(connection, [bucket.key for bucket in buckets])

    assert {any_shop.client.ttl(bucket.key) for bucket in buckets} == {-1}


def test_a_bucket_that_expired_before_the_seal_is_named(shop: Shop, tmp_path: Path) -> None:
    rows, buckets = some_rows(shop, tmp_path)

    with borrowed_connection(shop.client) as connection:
        stage_buckets(connection, rows, buckets, ttl_seconds=100, again=False)
        shop.client.delete(buckets[4].key)
        with pytest.raises(VerificationFailed, match=f"{buckets[4].key.decode()} expired or was evicted"):
            seal_buckets(connection, [bucket.key for bucket in buckets])


def test_ranges_divide_the_rows_among_them(tmp_path: Path) -> None:
    spool = filled_spool(tmp_path, Ranges(buckets=20, count=3))

    parts = [spool.rows_of(number) for number in range(3)]

    assert sum(len(part) for part in parts) == spool.customers == 1_000
    digests = np.concatenate([part.digests for part in parts])
    assert (np.diff(digests) > 0).all()


def test_two_records_of_one_digest_are_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, RANGES, RECORD_BYTES)
    spool.add(b"\1" * 8 + b"\2" * 8 + b"\1" * 8, np.zeros((3, RECORD_BYTES), np.uint8))
    spool.close()

    with pytest.raises(PublicationRefused, match="1 records share their digest"):
        spool.rows_of(0)


def some_rows(shop: Shop, folder: Path) -> tuple[SortedRows, list[Bucket]]:
    rows = filled_spool(folder, RANGES).rows_of(0)
    return rows, buckets_of(rows, RANGES, shop.keyspace.bucket_prefix(1))


def filled_spool(folder: Path, ranges: Ranges) -> Spool:
    dice = np.random.default_rng(5)
    spool = Spool(folder, ranges, RECORD_BYTES)
    spool.add(dice.bytes(8 * 1_000), dice.integers(0, 256, (1_000, RECORD_BYTES)).astype(np.uint8))
    spool.close()
    return spool
