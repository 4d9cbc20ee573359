"""One bucket range into the store: written with an expiry, read back byte for byte, later freed of its expiry.

Buckets are written as ready-made commands: the bytes of all customers of a range lie in one NumPy array, a bucket is a
slice of it between two short headers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from redis.connection import Connection

from bnpl_features.errors import VerificationFailed
from bnpl_features.store.keyspace import FIELD_BYTES
from bnpl_features.store.spool import Ranges, Rows

BUCKETS_PER_EXCHANGE = 256
_MULTI = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC = b"*1\r\n$4\r\nEXEC\r\n"
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
    """What one range came to; `checksum` is the CRC-32 of its (field, record) rows in order."""

    number: int
    customers: int
    checksum: str
    largest: Bucket | None


def buckets_of(rows: Rows, ranges: Ranges, prefix: bytes) -> list[Bucket]:
    """The non-empty buckets of sorted rows."""
    if not len(rows):
        return []
    numbers = ranges.bucket_of_digests(rows["digest"].astype(np.uint64))
    starts = np.concatenate(([0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1))
    ends = np.append(starts[1:], len(rows))
    return [
        Bucket(prefix + b"%d" % number, start, end)
        for number, start, end in zip(numbers[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]


def stage_range(
    connection: Connection, number: int, rows: Rows, buckets: list[Bucket], ttl_seconds: int
) -> StagedRange:
    """Write the buckets, each with its expiry in one transaction; `VerificationFailed` on an unexpected reply."""
    blocks = _blocks(rows)
    for chunk in _chunks(buckets):
        pieces: list[bytes | memoryview] = []
        for bucket in chunk:
            pieces += (
                _MULTI,
                _hset_header(bucket),
                blocks[bucket.start : bucket.end].data,
                _expire(bucket, ttl_seconds),
            )
            pieces.append(_EXEC)
        connection.send_packed_command([b"".join(pieces)])
        for bucket in chunk:
            for _ in range(_REPLIES_BEFORE_EXEC):
                connection.read_response()
            added, expires = connection.read_response()
            if added != bucket.customers or expires != 1:
                raise VerificationFailed(
                    f"bucket {bucket.key.decode()} took {added} of {bucket.customers} new customers; "
                    "something else writes to this namespace: give each environment its own"
                )
    largest = max(buckets, key=lambda bucket: bucket.customers, default=None)
    return StagedRange(number, len(rows), f"{zlib.crc32(rows.tobytes()):08x}", largest)


def verify_range(connection: Connection, rows: Rows, buckets: list[Bucket]) -> None:
    """Read the buckets back and compare every byte; raises `VerificationFailed` naming the first that differs."""
    for chunk in _chunks(buckets):
        connection.send_packed_command([b"".join([_command(b"HGETALL", bucket.key) for bucket in chunk])])
        for bucket in chunk:
            reply = connection.read_response(disable_decoding=True)
            staged = rows[bucket.start : bucket.end].tobytes()
            if b"".join(reply) != staged and _sorted_pairs(reply) != _split(staged, rows.dtype.itemsize):
                raise VerificationFailed(
                    f"bucket {bucket.key.decode()} holds {len(reply) // 2} customers that differ from the "
                    f"{bucket.customers} that were written; publish again"
                )


def seal_range(connection: Connection, buckets: list[Bucket]) -> None:
    """Lift the expiry of verified buckets; raises `VerificationFailed` where one is gone."""
    for chunk in _chunks(buckets):
        connection.send_packed_command([b"".join([_command(b"PERSIST", bucket.key) for bucket in chunk])])
        for bucket in chunk:
            if connection.read_response() != 1:
                raise VerificationFailed(
                    f"bucket {bucket.key.decode()} expired or was evicted before the version became active; "
                    "publish again, with more memory or a longer staging time"
                )


def _blocks(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """The rows as the arguments of HSET: length-prefixed field, length-prefixed record."""
    record_bytes = rows.dtype["record"].itemsize
    record_header = b"\r\n$%d\r\n" % record_bytes
    block = np.dtype(
        [
            ("field_header", "S4"),
            ("digest", ">u8"),
            ("record_header", "u1", (len(record_header),)),
            ("record", "u1", (record_bytes,)),
            ("end", "S2"),
        ]
    )
    blocks = np.empty(len(rows), dtype=block)
    blocks["field_header"] = b"$%d\r\n" % FIELD_BYTES
    blocks["digest"] = rows["digest"]
    blocks["record_header"] = np.frombuffer(record_header, dtype=np.uint8)
    blocks["record"] = rows["record"]
    blocks["end"] = b"\r\n"
    return blocks


def _hset_header(bucket: Bucket) -> bytes:
    return b"*%d\r\n$4\r\nHSET\r\n$%d\r\n%b\r\n" % (2 + 2 * bucket.customers, len(bucket.key), bucket.key)


def _expire(bucket: Bucket, ttl_seconds: int) -> bytes:
    return _command(b"EXPIRE", bucket.key, b"%d" % ttl_seconds)


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def _chunks(buckets: list[Bucket]) -> Iterator[list[Bucket]]:
    for start in range(0, len(buckets), BUCKETS_PER_EXCHANGE):
        yield buckets[start : start + BUCKETS_PER_EXCHANGE]


def _sorted_pairs(reply: list[bytes]) -> list[bytes]:
    return sorted(field + record for field, record in zip(reply[::2], reply[1::2], strict=True))


def _split(staged: bytes, row_bytes: int) -> list[bytes]:
    return [staged[start : start + row_bytes] for start in range(0, len(staged), row_bytes)]
