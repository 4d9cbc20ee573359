"""Would a publication be faster that copies unchanged customers inside the server and writes the changed ones only?

    python -m benchmarks.delta [customers] [changed]

Printed are: how many customers' records change from one day to the next, and the parts of a full and of a delta
publication, on the same rows and server.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.labelled import computed_partition
from benchmarks.population import simulated_warehouse
from benchmarks.servers import redis_server
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.buckets import each
from bnpl_features.store.codec import Codec
from bnpl_features.store.connection import StoreClient, borrowed_connection, connect
from bnpl_features.store.keyspace import DIGEST_BYTES, FIELD_BYTES, bucket_count
from bnpl_features.store.publishing.spool import Ranges, SortedRows
from bnpl_features.store.publishing.staging import Bucket, buckets_of, stage_buckets, verify_buckets
from bnpl_features.store.wire import command

TTL_SECONDS = 3_600
ROWS_A_RANGE = 250_000


def main(customers: int = 10_000_000, changed: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _changes_a_day(Path(folder))
        with redis_server(Path(folder) / "redis") as url:
            if url is None:
                sys.exit("this benchmark needs redis-server: apt-get install redis-server")
            _full_and_delta(connect(url), customers, changed)


def _changes_a_day(folder: Path, customers: int = 20_000) -> None:
    layout = layout_of(BEHAVIOURAL)
    last = date(2026, 3, 2)
    warehouse, _ = simulated_warehouse(folder / "warehouse", customers, last)
    rows = []
    for gap in (1, 0):
        part = computed_partition(warehouse, last - timedelta(days=gap), layout)
        encoded = Codec(layout).encode(dict(zip(layout.names, part.vectors.T, strict=True)))
        rows.append(dict(zip(part.customer_ids, encoded.records, strict=True)))
    before, after = rows
    both = before.keys() & after.keys()
    differing = {
        name: sum(
            not np.array_equal(before[one][offset : offset + width], after[one][offset : offset + width])
            for one in both
        )
        for name, offset, width in (
            (field.name, offset, field.storage.width_bytes)
            for field, offset in zip(layout.fields, layout.offsets, strict=True)
        )
    }
    whole = sum(not np.array_equal(before[one], after[one]) for one in both)
    ageing = ("days_since_last_txn", "days_since_first_txn", "days_since_missed_payment")
    aged = [layout.names.index(name) for name in ageing]
    masked = np.ones(layout.width_bytes, dtype=bool)
    for position in aged:
        offset = layout.offsets[position]
        masked[offset : offset + layout.fields[position].storage.width_bytes] = False
    others = sum(not np.array_equal(before[one][masked], after[one][masked]) for one in both)
    most = sorted(differing.items(), key=lambda pair: -pair[1])[:4]
    table = [
        ("any feature", f"{whole / len(both):.1%}"),
        (f"any but {', '.join(ageing)}", f"{others / len(both):.1%}"),
        *((name, f"{count / len(both):.1%}") for name, count in most),
    ]
    print_table(f"{len(both):,} customers of two days: whose record differs in", ("feature", "customers"), table)


def _full_and_delta(client: StoreClient, customers: int, changed: int) -> None:
    ranges = Ranges.for_customers(customers, bucket_count(customers))
    width = layout_of(BEHAVIOURAL).width_bytes
    parts = [_rows(number, ranges, customers // ranges.count, width) for number in range(ranges.count)]
    share = changed / customers
    full = _timed_over(client, parts, ranges, b"bench:b:1:", _write)
    verify = _timed_over(client, parts, ranges, b"bench:b:1:", _read_back)
    started = time.perf_counter()
    _copy(client, [bucket for rows in parts for bucket in buckets_of(rows, ranges, b"bench:b:1:")])
    copied = time.perf_counter() - started
    started = time.perf_counter()
    for number, rows in enumerate(parts):
        _change(client, rows, buckets_of(rows, ranges, b"bench:b:2:"), share, number)
    written = time.perf_counter() - started
    rows = [
        ("full: write every customer", full, ""),
        ("delta: COPY every bucket, EXPIRE", copied, ""),
        (f"delta: write {changed:,} changed customers", written, ""),
        ("delta in all / full", copied + written, f"{(copied + written) / full:.2f}"),
        ("either: read back and compare", verify, ""),
    ]
    table = [(name, f"{seconds:.1f}", ratio) for name, seconds, ratio in rows]
    print_table(f"{customers:,} customers, {changed:,} changed", ("part of the publication", "seconds", "ratio"), table)


def _rows(number: int, ranges: Ranges, customers: int, width: int) -> SortedRows:
    dice = np.random.default_rng(number)
    low, high = number * 2**64 // ranges.count, (number + 1) * 2**64 // ranges.count
    digests = np.sort(dice.integers(low, high, customers, dtype=np.uint64, endpoint=False))
    owned = digests[ranges.of_digests(digests) == number]
    fields = owned.astype(">u8").view(np.uint8).reshape(-1, DIGEST_BYTES)[:, DIGEST_BYTES - FIELD_BYTES :]
    records = dice.integers(0, 256, (len(owned), width), dtype=np.uint8)
    return SortedRows(owned, np.concatenate([fields, records], axis=1))


def _timed_over(
    client: StoreClient,
    parts: list[SortedRows],
    ranges: Ranges,
    prefix: bytes,
    work: Callable[[StoreClient, SortedRows, list[Bucket]], None],
) -> float:
    started = time.perf_counter()
    for rows in parts:
        work(client, rows, buckets_of(rows, ranges, prefix))
    return time.perf_counter() - started


def _write(client: StoreClient, rows: SortedRows, buckets: list[Bucket]) -> None:
    with borrowed_connection(client) as connection:  # type: ignore[arg-type]
        stage_buckets(connection, rows, buckets, TTL_SECONDS, again=False)


def _read_back(client: StoreClient, rows: SortedRows, buckets: list[Bucket]) -> None:
    with borrowed_connection(client) as connection:  # type: ignore[arg-type]
        verify_buckets(connection, rows, buckets)


def _copy(client: StoreClient, buckets: list[Bucket]) -> None:
    def commands(key: bytes) -> bytes:
        target = key.replace(b":b:1:", b":b:2:")
        return command(b"COPY", key, target)

    for _ in each(client, [bucket.key for bucket in buckets], commands):
        pass
    expire = [bucket.key.replace(b":b:1:", b":b:2:") for bucket in buckets]
    for _ in each(client, expire, lambda key: command(b"EXPIRE", key, b"%d" % TTL_SECONDS)):
        pass


def _change(client: StoreClient, rows: SortedRows, buckets: list[Bucket], share: float, seed: int) -> None:
    """One HSET a bucket with the changed customers of it."""
    differs = np.random.default_rng(seed).random(len(rows)) < share
    pairs: dict[bytes, list[bytes]] = {}
    for bucket in buckets:
        for row in np.flatnonzero(differs[bucket.start : bucket.end]) + bucket.start:
            pair = rows.pairs[row].tobytes()
            pairs.setdefault(bucket.key, []).extend((pair[:FIELD_BYTES], bytes(len(pair) - FIELD_BYTES)))
    for _ in each(client, list(pairs), lambda key: command(b"HSET", key, *pairs[key])):
        pass


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
