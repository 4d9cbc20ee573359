"""One bucket range into the store: written with an expiry, read back byte for byte, later freed of its expiry.

Buckets are written as ready-made commands: the bytes of all customers of a range lie in one NumPy array, a bucket is a
slice of it between two short headers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from redis.connection import Connection

from bnpl_features.errors import VerificationFailed
from bnpl_features.store.keyspace import FIELD_BYTES
from bnpl_features.store.publishing.spool import Ranges, SortedRows

BUCKETS_PER_EXCHANGE = 256
_REPLIES_BEFORE_EXEC = 3


@dataclass(frozen=True)
class Bucket:
    """A bucket of a range: its key, and which of the range's rows it holds."""

    key: bytes
    start: int
    end: int

    @property
    def customers(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class StagedRange:
    """What one range came to; `checksum` is the CRC-32 of its (field, record) pairs in order of digest."""

    customers: int
    checksum: str
    keys: list[bytes]
    fullest: bytes


def buckets_of(rows: SortedRows, ranges: Ranges, prefix: bytes) -> list[Bucket]:
    """The non-empty buckets of sorted rows."""
    if not len(rows):
        return []
    numbers = ranges.bucket_of_digests(rows.digests)
    starts = np.concatenate(([0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1))
    ends = np.append(starts[1:], len(rows))
    return [
        Bucket(prefix + b"%d" % number, start, end)
        for number, start, end in zip(numbers[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]


def stage_range(connection: Connection, rows: SortedRows, buckets: list[Bucket], ttl_seconds: int) -> StagedRange:
    """Write the buckets, each with its expiry in one transaction; `VerificationFailed` on an unexpected reply."""
    blocks = _blocks(rows.pairs)
    for chunk in _chunks(buckets):
        pieces: list[bytes | memoryview] = []
        for bucket in chunk:
            pieces += (_hset_header(bucket), blocks[bucket.start : bucket.end].data, _expire(bucket, ttl_seconds))
        connection.send_packed_command([b"".join(pieces)])
        for bucket in chunk:
            for _ in range(_REPLIES_BEFORE_EXEC):
                connection.read_response()
            added, expires = connection.read_response()
            if added != bucket.customers or expires != 1:
                raise VerificationFailed(
                    f"bucket {bucket.key.decode()} took {added} of {bucket.customers} new customers: something else "
                    "writes to this namespace (give each environment its own), or two keys collide (publish with "
                    "another customer key)"
                )
    fullest = max(buckets, key=lambda bucket: bucket.customers, default=None)
    return StagedRange(
        customers=len(rows),
        checksum=f"{zlib.crc32(rows.pairs.data):08x}",
        keys=[bucket.key for bucket in buckets],
        fullest=fullest.key if fullest else b"",
    )


def verify_range(connection: Connection, rows: SortedRows, buckets: list[Bucket]) -> None:
    """Read the buckets back and compare every byte; raises `VerificationFailed` naming the first that differs."""
    for chunk in _chunks(buckets):
        connection.send_packed_command([b"".join([_command(b"HGETALL", bucket.key) for bucket in chunk])])
        for bucket in chunk:
            reply = connection.read_response(disable_decoding=True)
            staged = rows.pairs[bucket.start : bucket.end].tobytes()
            if b"".join(reply) != staged and _sorted_pairs(reply) != _sorted_rows(staged, rows.pairs.shape[1]):
                raise VerificationFailed(
                    f"bucket {bucket.key.decode()} holds {len(reply) // 2} customers that differ from the "
                    f"{bucket.customers} that were written; publish again"
                )


def seal(connection: Connection, keys: list[bytes]) -> None:
    """Lift the expiry of verified buckets; raises `VerificationFailed` where one is gone."""
    for start in range(0, len(keys), BUCKETS_PER_EXCHANGE):
        chunk = keys[start : start + BUCKETS_PER_EXCHANGE]
        connection.send_packed_command([b"".join([_command(b"PERSIST", key) for key in chunk])])
        for key in chunk:
            if connection.read_response() != 1:
                raise VerificationFailed(
                    f"bucket {key.decode()} expired or was evicted before the version became active; "
                    "publish again, with more memory or a longer staging time"
                )


def _blocks(pairs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pairs as the arguments of HSET: length-prefixed field, length-prefixed record."""
    record_bytes = pairs.shape[1] - FIELD_BYTES
    parts = (b"$%d\r\n" % FIELD_BYTES, FIELD_BYTES, b"\r\n$%d\r\n" % record_bytes, record_bytes, b"\r\n")
    width = sum(part if isinstance(part, int) else len(part) for part in parts)
    blocks = np.empty((len(pairs), width), dtype=np.uint8)
    written = taken = 0
    for part in parts:
        if isinstance(part, int):
            blocks[:, written : written + part] = pairs[:, taken : taken + part]
            taken += part
            written += part
        else:
            blocks[:, written : written + len(part)] = np.frombuffer(part, dtype=np.uint8)
            written += len(part)
    return blocks


def _hset_header(bucket: Bucket) -> bytes:
    return b"*1\r\n$5\r\nMULTI\r\n*%d\r\n$4\r\nHSET\r\n$%d\r\n%b\r\n" % (
        2 + 2 * bucket.customers,
        len(bucket.key),
        bucket.key,
    )


def _expire(bucket: Bucket, ttl_seconds: int) -> bytes:
    return _command(b"EXPIRE", bucket.key, b"%d" % ttl_seconds) + b"*1\r\n$4\r\nEXEC\r\n"


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def _chunks(buckets: list[Bucket]) -> Iterator[list[Bucket]]:
    for start in range(0, len(buckets), BUCKETS_PER_EXCHANGE):
        yield buckets[start : start + BUCKETS_PER_EXCHANGE]


def _sorted_pairs(reply: list[bytes]) -> list[bytes]:
    return sorted(field + record for field, record in zip(reply[::2], reply[1::2], strict=True))


def _sorted_rows(staged: bytes, row_bytes: int) -> list[bytes]:
    return sorted(staged[start : start + row_bytes] for start in range(0, len(staged), row_bytes))
