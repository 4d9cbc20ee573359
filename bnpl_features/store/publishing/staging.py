"""Buckets into the store: written with an expiry, read back byte for byte, later freed of their expiry.

Buckets are written as ready-made commands: the bytes of all customers of a range lie in one NumPy array, a bucket is a
slice of it between two short headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from redis.connection import Connection

from bnpl_features.errors import VerificationFailed
from bnpl_features.store.buckets import KEYS_PER_EXCHANGE
from bnpl_features.store.keyspace import FIELD_BYTES
from bnpl_features.store.publishing.spool import Ranges, SortedRows
from bnpl_features.store.wire import command

_REPLIES_BEFORE_EXEC = 4


@dataclass(frozen=True)
class Bucket:
    """A bucket of a range: its number and key, and which of the range's rows it holds."""

    number: int
    key: bytes
    start: int
    end: int

    @property
    def customers(self) -> int:
        return self.end - self.start


def buckets_of(rows: SortedRows, ranges: Ranges, prefix: bytes) -> list[Bucket]:
    """The non-empty buckets of sorted rows."""
    if not len(rows):
        return []
    numbers = ranges.bucket_of_digests(rows.digests)
    starts = np.concatenate(([0], np.flatnonzero(numbers[1:] != numbers[:-1]) + 1))
    ends = np.append(starts[1:], len(rows))
    return [
        Bucket(number, prefix + b"%d" % number, start, end)
        for number, start, end in zip(numbers[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
    ]


def stage_buckets(
    connection: Connection, rows: SortedRows, buckets: list[Bucket], ttl_seconds: int, *, again: bool
) -> None:
    """Write the buckets, each as a whole and with its expiry, in one transaction.

    Raises `VerificationFailed` on an unexpected reply, and for a bucket that is there already, unless `again`.
    """
    blocks = _blocks(rows.pairs)
    for chunk in _chunks(buckets):
        pieces: list[bytes | memoryview] = []
        for bucket in chunk:
            pieces += (_header(bucket), blocks[bucket.start : bucket.end].data, _expire(bucket, ttl_seconds))
        connection.send_packed_command([b"".join(pieces)])
        for bucket in chunk:
            for _ in range(_REPLIES_BEFORE_EXEC):
                connection.read_response()
            there, added, expires = connection.read_response()
            if (there and not again) or added != bucket.customers or expires != 1:
                raise VerificationFailed(
                    f"bucket {bucket.key.decode()} {'was there already and ' if there else ''}took {added} of "
                    f"{bucket.customers} new customers: something else writes to this namespace (give each environment "
                    "its own), or two keys collide (publish with another customer key)"
                )


def verify_buckets(connection: Connection, rows: SortedRows, buckets: list[Bucket]) -> None:
    """Read the buckets back and compare every byte; raises `VerificationFailed` naming the first that differs."""
    for chunk in _chunks(buckets):
        connection.send_packed_command([b"".join([command(b"HGETALL", bucket.key) for bucket in chunk])])
        for bucket in chunk:
            reply = connection.read_response(disable_decoding=True)
            staged = rows.pairs[bucket.start : bucket.end].tobytes()
            if b"".join(reply) != staged and _sorted_pairs(reply) != _sorted_rows(staged, rows.pairs.shape[1]):
                raise VerificationFailed(
                    f"bucket {bucket.key.decode()} holds {len(reply) // 2} customers that differ from the "
                    f"{bucket.customers} that were written; publish again"
                )


def seal_buckets(connection: Connection, keys: list[bytes], expires_at: float | None = None) -> None:
    """Lift the expiry of verified buckets, or set it; raises `VerificationFailed` where one is gone.

    Safe to repeat: what is asked for each is whether it is there, not whether it had an expiry.
    """
    lift = (lambda key: command(b"PERSIST", key)) if expires_at is None else _expire_at(expires_at)
    for start in range(0, len(keys), KEYS_PER_EXCHANGE):
        chunk = keys[start : start + KEYS_PER_EXCHANGE]
        connection.send_packed_command([b"".join([lift(key) + command(b"EXISTS", key) for key in chunk])])
        there = [(connection.read_response(), connection.read_response())[1] for _ in chunk]
        if not all(there):
            raise VerificationFailed(
                f"bucket {chunk[there.index(0)].decode()} expired or was evicted before the version became active; "
                "publish again, with more memory or a longer staging time"
            )


def _expire_at(seconds: float) -> Callable[[bytes], bytes]:
    return lambda key: command(b"EXPIREAT", key, b"%d" % seconds)


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


def _header(bucket: Bucket) -> bytes:
    return b"*1\r\n$5\r\nMULTI\r\n%b*%d\r\n$4\r\nHSET\r\n$%d\r\n%b\r\n" % (
        command(b"UNLINK", bucket.key),
        2 + 2 * bucket.customers,
        len(bucket.key),
        bucket.key,
    )


def _expire(bucket: Bucket, ttl_seconds: int) -> bytes:
    return command(b"EXPIRE", bucket.key, b"%d" % ttl_seconds) + b"*1\r\n$4\r\nEXEC\r\n"


def _chunks(buckets: list[Bucket]) -> Iterator[list[Bucket]]:
    for start in range(0, len(buckets), KEYS_PER_EXCHANGE):
        yield buckets[start : start + KEYS_PER_EXCHANGE]


def _sorted_pairs(reply: list[bytes]) -> list[bytes]:
    return sorted(field + record for field, record in zip(reply[::2], reply[1::2], strict=True))


def _sorted_rows(staged: bytes, row_bytes: int) -> list[bytes]:
    return sorted(staged[start : start + row_bytes] for start in range(0, len(staged), row_bytes))
