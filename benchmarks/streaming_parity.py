"""Velocity as a worker keeps it beside the warehouse's SQL, purchase by purchase; `benchmarks/streaming.py` runs it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.table import print_table
from bnpl_features.derive.velocity_query import velocity_query, windowed_features
from bnpl_features.features.purchase import PURCHASE_COLUMNS
from bnpl_features.features.velocity import VELOCITY, cents
from bnpl_features.store.keyspace import field_of
from bnpl_features.store.target import Target
from bnpl_features.store.velocity.applying import Packer, apply
from bnpl_features.store.velocity.state import parsed, values_at
from bnpl_features.store.wire import hget
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

CATEGORIES = ("electronics", "clothing", "home", "beauty", "sports")
DAY = date(2026, 3, 1)
CHUNK_MS = 300_000


def parity(count: int, target: Target, folder: Path) -> None:
    """Two days of `count` events, shuffled within five minutes and one in ten twice; every purchase is compared."""
    dice = random.Random(4)
    days = (DAY, DAY + timedelta(days=1))
    midnight_ms = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()) * 1000
    events = sorted((midnight_ms + dice.randrange(2 * 86_400_000), n) for n in range(count))
    rows = [_row(dice, number, at_ms, count // 10) for at_ms, number in events]
    warehouse = DuckDBWarehouse(folder / "warehouse")
    (folder / "warehouse").mkdir()
    batches = (_arrow(rows[start : start + 100_000]) for start in range(0, count, 100_000))
    warehouse.upsert_transactions(batches, {})
    started = time.perf_counter()
    names = [feature.name for feature in windowed_features()]
    expected = {
        key: values
        for batch in warehouse.read(velocity_query(*days), {})
        for key, values in zip(
            batch.column("transaction_id").to_pylist(),
            zip(*(batch.column(name).to_pylist() for name in names), strict=True),
            strict=True,
        )
    }
    in_sql = time.perf_counter() - started
    packer = Packer(target.key)
    started, compared, mismatched = time.perf_counter(), 0, 0
    for chunk in _chunks(rows):
        sent = [_packed(packer, row) for row in chunk]
        sent += dice.sample(sent, len(sent) // 10)
        dice.shuffle(sent)
        for start in range(0, len(sent), 2_000):
            apply(target.client, target.keyspace, sent[start : start + 2_000], chunk[-1]["at_ms"], looked_at=0)
        for row, values in _read(target, [row for row in chunk if row["status"] == "completed"]):
            compared += 1
            mismatched += values != expected.get(row["transaction_id"])
    rows_shown = [
        ("purchases compared", f"{compared:,}"),
        ("mismatches", f"{mismatched:,} (target 0)"),
        ("in the warehouse's SQL", f"{in_sql:.1f} s"),
        ("replayed and read", f"{time.perf_counter() - started:.1f} s"),
    ]
    print_table(f"Parity: {count:,} events of {count // 10:,} customers", ("", ""), rows_shown)


def _read(target: Target, rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], tuple[Any, ...]]]:
    """As of each purchase, although later ones have been applied."""
    customers = list({row["customer_id"] for row in rows})
    fields = {}
    for customer in customers:
        digest = target.key.digest(customer)
        fields[customer] = target.keyspace.velocity(digest), field_of(digest)
    connection = target.client.connection_pool.get_connection()
    connection.send_packed_command([b"".join([hget(*fields[customer]) for customer in customers])])
    states = {customer: parsed(connection.read_response(disable_decoding=True)) for customer in customers}
    target.client.connection_pool.release(connection)
    for row in rows:
        values = dict(zip(VELOCITY.names, values_at(states[row["customer_id"]], row["at_ms"]), strict=True))
        yield row, tuple(values[feature.name] for feature in windowed_features())


def _chunks(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        if chunk and row["at_ms"] - chunk[0]["at_ms"] >= CHUNK_MS:
            yield chunk
            chunk = []
        chunk.append(row)
    yield chunk


def _row(dice: random.Random, number: int, at_ms: int, customers: int) -> dict[str, Any]:
    customer = int(customers * dice.random() ** 3)  # some buy far more often than others
    return {
        "transaction_id": f"t{number}",
        "customer_id": f"c{customer}",
        "at_ms": at_ms,
        "amount": round(dice.lognormvariate(4, 1), 2),
        "status": dice.choices(("completed", "failed", "declined"), (90, 7, 3))[0],
        "device_id": f"d{customer}-{dice.randrange(6)}",
        "product_category": dice.choice(CATEGORIES),
    }


def _packed(packer: Packer, row: dict[str, Any]) -> Any:
    amount = cents(row["amount"]) if row["status"] == "completed" else None
    return packer.packed(
        row["customer_id"], row["transaction_id"], row["at_ms"], amount, row["device_id"], row["product_category"]
    )


def _arrow(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    stamps = pa.array([row["at_ms"] * 1000 for row in rows]).cast(pa.timestamp("us", tz="UTC"))
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0] if name != "at_ms"}
    columns["transaction_timestamp"] = stamps
    types = {"STRING": pa.string(), "FLOAT64": pa.float64(), "INT64": pa.int64(), "BOOL": pa.bool_()}
    for column in PURCHASE_COLUMNS:
        if column.name not in columns:  # velocity does not read it
            columns[column.name] = pa.nulls(len(rows), types[column.type.value])
    return pa.RecordBatch.from_pydict(columns)
