"""Every scheme on the same records: bytes, memory of real servers that hold them under real keys, time to decode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import redis

from benchmarks.huffman import huffman
from benchmarks.labelled import Partition
from benchmarks.schemes import (
    entropy_bound,
    exact_bits,
    present,
    rows_of,
    zlib_with_dictionary,
    zstd_buckets,
    zstd_with_dictionary,
)
from benchmarks.servers import redis_server
from benchmarks.table import print_table
from benchmarks.templates import templates
from bnpl_features.store.arrays import Records
from bnpl_features.store.codec import Codec
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import FIELD_BYTES, CustomerKey, Keyspace, bucket_count, bucket_of, field_of

LEAST_SAVING = 0.25

KEY = b"benchmark" * 3
PREFIX = Keyspace("bench").bucket_prefix(1)
DECODES_AT_ONCE = 50
DECODED = 10_000
BUCKETS_AT_ONCE = 16

Bucket = list[tuple[bytes, int]]
"""(field, row) of each customer of a bucket, in order of digest."""


def print_schemes(codec: Codec, partitions: list[Partition], folder: Path) -> None:
    """The last partition as a whole, then its busy customers alone: those with a purchase in the last 30 days.

    What is learnt from data (dictionaries, codes, templates) is learnt from the first partition.
    """
    first, last = partitions[0], partitions[-1]
    earlier, records = _records(codec, first), _records(codec, last)
    busy = np.flatnonzero(last.vectors[:, codec.layout.names.index("txn_count_30d")] > 0)
    with ExitStack() as servers:
        urls = {"Valkey 9": servers.enter_context(embedded_store(folder / "valkey"))}
        if redis_url := servers.enter_context(redis_server(folder / "redis")):
            urls["Redis 7"] = redis_url
        share = len(busy) / len(records)
        everyone = f"{len(records):,} customers, {1 - share:.0%} of them without a purchase in 30 days"
        _print(everyone, codec, (first.customer_ids, earlier), (last.customer_ids, records), urls)
        only = f"The {len(busy):,} customers with a purchase in 30 days only"
        names = [last.customer_ids[row] for row in busy]
        _print(only, codec, (first.customer_ids, earlier), (names, records[busy]), urls)


@dataclass(frozen=True)
class _Figures:
    """One scheme: bytes a record, server bytes a customer by server, microseconds a record to store and to read."""

    name: str
    size: float
    memory: dict[str, float]
    store: float
    read: float | None


def _print(
    title: str,
    codec: Codec,
    earlier: tuple[list[str], Records],
    current: tuple[list[str], Records],
    urls: dict[str, str],
) -> None:
    first, *others = _measured(codec, earlier, current, urls)
    rows = [_row(figures, first) for figures in (first, *others)]
    columns = (
        "scheme",
        "bytes",
        *(f"bytes in {server}" for server in urls),
        "encode, us",
        "decode, us",
        "more than now",
    )
    print_table(title, (*columns, f"over {LEAST_SAVING:.0%} less?"), rows)


def _row(figures: _Figures, first: _Figures) -> tuple[str, ...]:
    changes = {server: figures.memory[server] / first.memory[server] - 1 for server in first.memory}
    memory = [f"{figures.memory[server]:.1f} ({change:+.0%})" for server, change in changes.items()]
    decode = ("-", "-")
    if figures.read is not None and first.read is not None:
        decode = (f"{figures.read:.1f}", f"{figures.read - first.read:+.1f}")
    saves = "yes" if max(changes.values()) < -LEAST_SAVING else "no"
    return figures.name, f"{figures.size:.1f}", *memory, f"{figures.store:.1f}", *decode, saves


def _measured(
    codec: Codec, earlier: tuple[list[str], Records], current: tuple[list[str], Records], urls: dict[str, str]
) -> list[_Figures]:
    (earlier_ids, learnt), (customer_ids, records) = earlier, current
    buckets = _buckets(customer_ids)
    schemes = [
        present(codec),
        zlib_with_dictionary(codec, learnt),
        zstd_with_dictionary(codec, learnt),
        exact_bits(codec, learnt, records),
        templates(codec, learnt),
        huffman(codec, learnt),
        entropy_bound(codec),
    ]
    truth = [codec.decode_one(record) for record in rows_of(records)]
    found: list[tuple[str, float, dict[str, float], float]] = []
    reads: list[tuple[Callable[..., object], list[tuple[bytes, ...]]]] = []
    for scheme in schemes:
        began = time.perf_counter()
        stored = scheme.store(records)
        seconds = time.perf_counter() - began
        commands = [(b"HSET", PREFIX + b"%d" % n, *_pairs(bucket, stored)) for n, bucket in enumerate(buckets)]
        found.append((scheme.name, sum(map(len, stored)), _memory(urls, commands), seconds))
        if scheme.read is not None:
            assert [scheme.read(value) for value in stored] == truth, scheme.name
            reads.append((scheme.read, [(value,) for value in stored]))
        else:
            reads.append((len, []))
    whole = zstd_buckets(codec, _contents(_buckets(earlier_ids), learnt))
    began = time.perf_counter()
    values = whole.store(_contents(buckets, records))
    seconds = time.perf_counter() - began
    commands = [(b"SET", PREFIX + b"%d" % n, value) for n, value in enumerate(values)]
    found.append((whole.name, sum(map(len, values)) - FIELD_BYTES * len(records), _memory(urls, commands), seconds))
    asked = [(values[n], field) for n, bucket in enumerate(buckets) for field, _ in bucket]
    assert [whole.read(*words) for words in asked] == [truth[row] for bucket in buckets for _, row in bucket]
    reads.append((whole.read, asked))
    return [
        _Figures(
            name,
            size / len(records),
            {server: total / len(records) for server, total in memory.items()},
            seconds / len(records) * 1e6,
            decode,
        )
        for (name, size, memory, seconds), decode in zip(found, _microseconds(reads), strict=True)
    ]


def _records(codec: Codec, partition: Partition) -> Records:
    return codec.encode(dict(zip(codec.layout.names, partition.vectors.T, strict=True))).records


def _buckets(customer_ids: list[str]) -> list[Bucket]:
    """The customers as the store lays them out."""
    key = CustomerKey(KEY)
    count = bucket_count(len(customer_ids))
    buckets: list[Bucket] = [[] for _ in range(count)]
    for digest, row in sorted((key.digest(customer_id), row) for row, customer_id in enumerate(customer_ids)):
        buckets[bucket_of(digest, count)].append((field_of(digest), row))
    return buckets


def _pairs(bucket: Bucket, stored: list[bytes]) -> list[bytes]:
    return [word for field, row in bucket for word in (field, stored[row])]


def _contents(buckets: list[Bucket], records: Records) -> list[tuple[bytes, Records]]:
    return [(b"".join(field for field, _ in bucket), records[[row for _, row in bucket]]) for bucket in buckets]


def _memory(urls: dict[str, str], commands: Sequence[tuple[bytes, ...]]) -> dict[str, float]:
    return {server: _server_bytes(url, commands) for server, url in urls.items()}


def _server_bytes(url: str, commands: Sequence[tuple[bytes, ...]]) -> int:
    """What the server allocates for the commands' keys, and not for the connection that sends them."""
    _flush(url)
    before = _used(url)
    with redis.Redis.from_url(url) as client:
        for start in range(0, len(commands), BUCKETS_AT_ONCE):
            pipeline = client.pipeline(transaction=False)
            for words in commands[start : start + BUCKETS_AT_ONCE]:
                pipeline.execute_command(*words)
            pipeline.execute()
    return _used(url) - before


def _flush(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.flushall()


def _used(url: str) -> int:
    """Read over a new connection, once the server has let go of the one before."""
    time.sleep(0.2)
    with redis.Redis.from_url(url) as client:
        return int(client.info("memory")["used_memory"])


def _microseconds(reads: list[tuple[Callable[..., object], list[tuple[bytes, ...]]]]) -> list[float | None]:
    """The median of batches, so that the clock does not count, the schemes in turn, so that all meet the same noise.

    Each is some way ahead of the one before: none finds its values in the processor's cache because another used them.
    """
    batches: list[list[float]] = [[] for _ in reads]
    for start in range(0, DECODED, DECODES_AT_ONCE):
        for number, ((read, arguments), seconds) in enumerate(zip(reads, batches, strict=True)):
            ahead = start + number * (len(arguments) // len(reads))
            batch = arguments[ahead : ahead + DECODES_AT_ONCE]
            began = time.perf_counter()
            for words in batch:
                read(*words)
            if batch:
                seconds.append((time.perf_counter() - began) / len(batch))
    return [float(np.median(seconds)) * 1e6 if seconds else None for seconds in batches]
