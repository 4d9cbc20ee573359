"""Feature sets side by side: what a second one costs a day, what ten cost a lookup, what a segment costs in a record,
and a backfill of a month at once beside day by day.

    python -m benchmarks.sets [customers]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import redis

from benchmarks.population import simulated_warehouse
from benchmarks.servers import redis_server
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.query import group_query, vectors_query
from bnpl_features.derive.table import CUSTOMER_COLUMN, group_table, vectors_table
from bnpl_features.features.catalog import ALL_FEATURES, BEHAVIOURAL, GROUPS, SEGMENTED, FeatureSet
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.features.segment import SEGMENT, SEGMENTS, Segment, segment_feature
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.target import Target
from bnpl_features.warehouse.backfill import compute
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source

KEY = b"benchmark" * 3
DAY = datetime.now(UTC).date() - timedelta(days=1)
REPEATS = 3
LOOKUPS, BLOCKS = 2_000, 12
SETS_AT_ONCE = 10
BACKFILL_DAYS = 30
NARROW_BYTES = 30
"""A record of the features that a customer with little history has at all: counts, ages, the latest purchase."""


def main(customers: int = 200_000) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        url = servers.enter_context(redis_server(Path(folder) / "redis"))
        url = url or servers.enter_context(embedded_store(Path(folder) / "valkey"))
        warehouse, purchases = simulated_warehouse(Path(folder) / "warehouse", customers, DAY)
        _second_set(warehouse, url, customers, purchases)
        _lookups(warehouse, url)
        _segment_in_the_record(warehouse, url)
        _backfill(warehouse, url, purchases)


def _second_set(warehouse: DuckDBWarehouse, url: str, customers: int, purchases: int) -> None:
    """CPU seconds of a day, here and in the server: groups and vectors once, then one publication or two; the least of
    several. Not of the clock, so that what else runs on the machine does not count."""
    computed, one, two = [], [], []
    for _ in range(REPEATS):
        computed.append(_worked(url, lambda: _compute(warehouse)))
        one.append(_worked(url, lambda: _publish(warehouse, url, BEHAVIOURAL)))
        two.append(one[-1] + _worked(url, lambda: _publish(warehouse, url, SEGMENTED)))
    day = [a + b for a, b in zip(computed, one, strict=True)]
    day_of_two = [a + b for a, b in zip(computed, two, strict=True)]
    rows = [
        ("groups and vectors", f"{min(computed):.2f}", f"{min(computed):.2f}", "1.00"),
        ("publication", f"{min(one):.2f}", f"{min(two):.2f}", f"{min(two) / min(one):.2f}"),
        ("the day", f"{min(day):.2f}", f"{min(day_of_two):.2f}", f"{min(day_of_two) / min(day):.2f} (at most 1.2)"),
    ]
    title = f"A day of {customers:,} customers, {purchases:,} purchases, CPU seconds"
    print_table(title, ("step", "one set", "two sets", "ratio"), rows)


def _lookups(warehouse: DuckDBWarehouse, url: str) -> None:
    """The same reader's p50 with one set without segments, and with ten followed, of six segments with defaults."""
    segments = _six_segments()
    usual = {"amount_std_30d": 20.0, "gap_mean_hours_30d": 100.0, "gap_std_hours_30d": 50.0, "amount_cv_30d": 0.5}
    with_defaults = tuple(replace(one, defaults=usual) for one in segments)
    segmented = replace(
        SEGMENTED,
        groups=tuple(
            replace(group, features=(segment_feature(segments, segments[0]),)) if group.name == SEGMENT else group
            for group in SEGMENTED.groups
        ),
        segments=with_defaults,
        unknown=with_defaults[0],
    )
    many = [replace(segmented, name=f"behavioural@{number}") for number in range(11, 11 + SETS_AT_ONCE)]
    for one in many:
        _publish(warehouse, url, one, namespace="many")
    customer_ids = _some_customers(warehouse)
    options = {"customer_key": KEY, "budget_seconds": 0.25}
    with (
        CustomerFeatureStore(url, namespace="bench", **options) as alone,
        CustomerFeatureStore(url, namespace="many", feature_set=many[0].name, **options) as among,
    ):
        for one in many:
            among.follow(one.name)
        assert alone.get(customer_ids[0]).status is Status.FRESH
        assert among.get(customer_ids[0], feature_set=many[-1].name).status is Status.FRESH
        seconds: dict[str, list[float]] = {"one": [], "ten": [], "one, decoded": [], "ten, decoded": []}
        for block in range(BLOCKS):
            name = many[block % SETS_AT_ONCE].name
            calls: list[tuple[str, Callable[[str], object]]] = [
                ("one", alone.get),
                ("ten", lambda c, n=name: among.get(c, feature_set=n)),
                ("one, decoded", lambda c: alone.get(c).values),
                ("ten, decoded", lambda c, n=name: among.get(c, feature_set=n).values),
            ]
            for customer_id in customer_ids:
                for what, call in reversed(calls) if block % 2 else calls:
                    seconds[what].append(_timed(lambda call=call, c=customer_id: call(c)))
        answered = alone.counts + among.counts
        assert set(answered) == {Status.FRESH.value}, answered
    p50 = {name: float(np.percentile(values, 50)) * 1e6 for name, values in seconds.items()}
    rows = [
        (
            what,
            f"{p50['one' + suffix]:.1f}",
            f"{p50['ten' + suffix]:.1f}",
            f"{100 * (p50['ten' + suffix] / p50['one' + suffix] - 1):+.1f} % {target}",
        )
        for what, suffix, target in (("lookup", "", "(at most 5)"), ("lookup, all values decoded", ", decoded", ""))
    ]
    heads = ("p50, microseconds", "one set", "ten sets, six segments", "difference")
    print_table(f"{len(seconds['one']):,} lookups of each, in turn", heads, rows)


def _segment_in_the_record(warehouse: DuckDBWarehouse, url: str) -> None:
    """Server bytes a customer: every record of one layout with the segment in it, or a narrow layout for who has little
    history, told apart by the record's tag."""
    rows = []
    width = layout_of(SEGMENTED).width_bytes
    found = _shares(warehouse)
    little = found.get("new", 0.0) + found.get("thin_file", 0.0)
    for name, widths in (
        ("one layout, segment in the record", [width] * 1000),
        ("a layout a segment", [NARROW_BYTES] * round(1000 * little) + [width] * round(1000 * (1 - little))),
    ):
        rows.append((name, f"{np.mean(widths):.1f}", f"{_bytes_a_customer(url, widths):.1f}"))
    rows.append(("customers by segment", ", ".join(f"{k} {v:.0%}" for k, v in sorted(found.items())), ""))
    print_table("Where the segment stands", ("layout", "record bytes", "server bytes a customer"), rows)


def _backfill(warehouse: DuckDBWarehouse, url: str, purchases: int) -> None:
    days = [DAY - timedelta(days=n) for n in reversed(range(BACKFILL_DAYS))]
    rows, totals = [], [0.0, 0.0]
    for group in GROUPS:
        alone = _worked(url, lambda g=group: [_replace(warehouse, g, day) for day in days])
        together = _worked(url, lambda g=group: list(compute(warehouse, Source(), g, days, {})))
        totals = [totals[0] + alone, totals[1] + together]
        rows.append((group.name, f"{alone:.1f}", f"{together:.1f}", f"{alone / together:.1f}"))
    rows.append(("all", f"{totals[0]:.1f}", f"{totals[1]:.1f}", f"{totals[0] / totals[1]:.1f}"))
    title = f"Backfill of {BACKFILL_DAYS} days, {purchases:,} purchases a year, CPU seconds"
    print_table(title, ("group", "day by day", "at once (profiles included)", "faster by"), rows)


def _compute(warehouse: DuckDBWarehouse) -> None:
    for group in GROUPS:
        _replace(warehouse, group, DAY)
    warehouse.replace_partition(vectors_table(), DAY, vectors_query(ALL_FEATURES, DAY), {})


def _replace(warehouse: DuckDBWarehouse, group: FeatureGroup, day: date) -> None:
    warehouse.replace_partition(group_table(group), day, group_query(group, day), {})


def _publish(warehouse: DuckDBWarehouse, url: str, feature_set: FeatureSet, namespace: str = "bench") -> None:
    layout = layout_of(feature_set)
    count = sum(b.num_rows for b in warehouse.read_partition(vectors_table(), DAY, (CUSTOMER_COLUMN,), {}))
    batches = warehouse.read_partition(vectors_table(), DAY, (CUSTOMER_COLUMN, *layout.names), {})
    target = Target(connect(url), Keyspace(namespace), CustomerKey(KEY))
    publish(
        target,
        layout,
        customer_batches(batches, layout),
        partition=DAY,
        customers=count,
        provenance=Provenance(actor="benchmark"),
    )


def _six_segments() -> tuple[Segment, ...]:
    """One more than are declared: the sixth has nobody."""
    return (Segment("whale", "Spends very much.", "FALSE"), *SEGMENTS)


def _some_customers(warehouse: DuckDBWarehouse) -> list[str]:
    batch = next(iter(warehouse.read_partition(vectors_table(), DAY, (CUSTOMER_COLUMN,), {})))
    return list(batch.column(0).to_pylist()[:LOOKUPS])


def _shares(warehouse: DuckDBWarehouse) -> dict[str, float]:
    names = [
        name
        for batch in warehouse.read_partition(vectors_table(), DAY, (SEGMENT,), {})
        for name in batch.column(0).to_pylist()
    ]
    return {name: names.count(name) / len(names) for name in set(names)}


def _bytes_a_customer(url: str, widths: list[int], customers: int = 200_000) -> float:
    client = redis.Redis.from_url(url)
    dice = np.random.default_rng(0)
    before = int(client.info("memory")["used_memory"])
    pipeline = client.pipeline(transaction=False)
    for bucket in range(customers // 64):
        chosen = dice.choice(widths, 64)
        pipeline.hset(f"layout:b:1:{bucket}", mapping={dice.bytes(6): dice.bytes(int(w)) for w in chosen})
    pipeline.execute()
    used = int(client.info("memory")["used_memory"]) - before
    for start in range(0, customers // 64, 500):
        client.unlink(*[f"layout:b:1:{n}" for n in range(start, min(start + 500, customers // 64))])
    return used / (64 * (customers // 64))


def _worked(url: str, call: Callable[[], object]) -> float:
    """CPU seconds of this process and of the server."""
    client = redis.Redis.from_url(url)

    def server() -> float:
        cpu = client.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])

    before = server() + time.process_time()
    call()
    return server() + time.process_time() - before


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
