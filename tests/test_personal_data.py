"""No customer id in what is written down or sent: canaries go in, and everything that comes out is searched for them.

Every simulated customer of the code location is a canary (`cust_0000042`, who also stands in transaction and device
ids); elsewhere one is made up. What holds ids because that is its work is named in `docs/personal-data.md`: the
warehouse's purchases, features and vectors, and the stream's events, dead letters among them.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import redis
from click.testing import CliRunner

from assets.feature_vectors import VECTORS_TABLE
from bnpl_features.cli.main import commands
from bnpl_features.derive.table import group_table
from bnpl_features.errors import BnplFeaturesError, InputError
from bnpl_features.features.catalog import GROUPS
from bnpl_features.simulator.faults import ConstantColumn
from bnpl_features.store.erasure import erase, readmit
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.target import Target
from bnpl_features.store.velocity.letters import newest
from bnpl_features.streaming.metrics import worker_families
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource
from bnpl_features.streaming.worker import Worker
from bnpl_features.telemetry.exposition import exposition
from tests.automation.test_sensors import tick
from tests.bnpl_features.scoring.checkout import body, purchase
from tests.bnpl_features.scoring.conftest import folder, stocked
from tests.bnpl_features.scoring.counter import running
from tests.bnpl_features.store.shop import BY, Shop, batches
from tests.bnpl_features.store.test_users import event
from tests.code_location import DAY as DAY_OF_LOCATION
from tests.code_location import CodeLocation, location, template, valkey, why
from tests.receiver import receiver

__all__ = ["folder", "location", "stocked", "template", "valkey"]

CANARY = "canary-4711-of-the-mine"
SIMULATED = re.compile(rb"cust_\d{7}|txn_\d{8}_\d{7}")
WITH_CUSTOMERS = {"transactions", VECTORS_TABLE.name, *(group_table(group).name for group in GROUPS)}


# --- the daily job: store, tables, event log, alerts -----------------------------------------------------------------


def test_the_daily_job_writes_no_customer_where_none_belongs(
    location: CodeLocation, caplog: pytest.LogCaptureFixture
) -> None:
    """Days were computed, checked and published; then checks fail, and publications are refused or break off."""
    table = VECTORS_TABLE.name
    location.erase(location.customers()[0])
    published = location.publish_alone()
    location.doctor(
        VECTORS_TABLE, f"* FROM {table} UNION ALL SELECT * REPLACE (txn_count_7d + 1 AS txn_count_7d) FROM {table}"
    )
    location.receive(ConstantColumn("amount", -5.0, from_day=DAY_OF_LOCATION))
    checks = [("feature_vectors", "completeness"), ("transactions", "contract"), ("published_features", "consistency")]
    failed = [location.evaluate(asset, name) for asset, name in checks]
    refused = location.publish_alone()
    broken_off = location.having(REDIS_URL="redis://127.0.0.1:1/0").publish_alone()
    tick(location.instance, "alerts", **location.variables)

    assert (published.success, refused.success, broken_off.success) == (True, False, False), why(published)
    assert [one.passed for one in failed] == [False] * len(failed)
    assert found_in_files(location.folder / "dagster") == []
    assert [where for where, content in stored(location.url, location.namespace) if SIMULATED.search(content)] == []
    assert {table for table, text in told_by_tables(location.folder / "warehouse") if SIMULATED.search(text)} == (
        WITH_CUSTOMERS
    )
    assert not SIMULATED.search(caplog.text.encode())


def found_in_files(folder: Path) -> list[tuple[Path, bytes]]:
    """Runs, events, ticks and what steps printed, as Dagster keeps them."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) > 100_000
    return [(file, match[0]) for file in files if (match := SIMULATED.search(file.read_bytes()))]


def told_by_tables(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each table of the warehouse with all its rows as text."""
    for table in sorted(path for path in folder.iterdir() if any(path.rglob("*.parquet"))):
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{table}/**/*.parquet', union_by_name = true)").fetchall()
        yield table.name, repr(rows).encode()


def stored(url: str, namespace: str, without: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Every key of the namespace, with its name and all that it holds."""
    client: Any = redis.Redis.from_url(url)
    reads = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    for key in client.scan_iter(f"*{namespace}*", count=1_000):
        if not key.decode().endswith(tuple(without)):
            content = reads[client.type(key)](key)
            yield key.decode(), key + (content if isinstance(content, bytes) else raw(content))


def raw(content: Any) -> bytes:
    """All the bytes of a reply, joined."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, dict):
        return raw(list(content.items()))
    return b" ".join(map(raw, content)) if isinstance(content, (list, tuple)) else str(content).encode()


# --- publications that fail, lookups ---------------------------------------------------------------------------------


def with_canaries(count: int = 2) -> list[CustomerBatch]:
    """A hundred customers, and the canary as often as asked for."""
    [plain] = list(batches(100))
    columns = {name: np.concatenate([values, values[:count]]) for name, values in plain.columns.items()}
    return [CustomerBatch([*plain.customer_ids, *[CANARY] * count], columns)]


def test_a_publication_that_fails_over_a_customer_does_not_name_the_customer(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    complaints = []

    for count, expected in ((2, 102), (1, 100)):  # the same customer twice; one more than there should be
        with pytest.raises(BnplFeaturesError) as caught:
            shop.publish(customers=expected, batches=with_canaries(count))
        complaints.append(str(caught.value))

    assert CANARY not in "\n".join(complaints) + caplog.text
    assert [where for where, content in stored(shop.url, shop.namespace) if CANARY.encode() in content] == []


def test_lookups_and_erasures_leave_no_trace_of_a_customer(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    shop.publish(customers=101, batches=with_canaries(1))
    with shop.reader(velocity=True) as reader:
        told.append(reader.get(CANARY))
        erase(shop.client, shop.keyspace, shop.target.keys, CANARY, reason="request 8812", actor="operator")
        told.append(reader.get(CANARY))
        readmit(shop.client, shop.keyspace, shop.target.keys, CANARY, **BY)
        with pytest.raises(InputError) as caught:
            readmit(shop.client, shop.keyspace, shop.target.keys, CANARY, **BY)
        shop.client.set(shop.keyspace.manifest(1), b"{")
        told.append(reader.get(f"{CANARY}\ud800"))

    assert [answer.status for answer in told] == [Status.STALE, Status.UNKNOWN_CUSTOMER, Status.UNKNOWN_CUSTOMER]
    assert CANARY not in f"{told} {caught.value} {caplog.text}"
    assert [where for where, content in stored(shop.url, shop.namespace) if CANARY.encode() in content] == []


@pytest.fixture
def shop(stocked: Shop) -> Shop:
    return Shop(stocked.url, "personal-data")


def test_a_file_of_purchases_that_is_refused_is_not_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"bad.csv": ",".join([CANARY] * len(purchase())), "torn.csv": f'"{CANARY}', "wide.csv": f"{CANARY}," * 99}
    monkeypatch.setenv("BNPL_WAREHOUSE_FOLDER", str(tmp_path / "warehouse"))
    for name, row in rows.items():
        (tmp_path / name).write_text("\n".join([",".join(purchase()), row, row]))

        result = CliRunner().invoke(commands, ("load", str(tmp_path / name)))

        assert result.exit_code == 2, result.output
        assert CANARY not in result.output


# --- the prediction service ------------------------------------------------------------------------------------------

CANARY_BODIES: list[bytes] = [
    body(customer_id=CANARY),
    body(customer_id=CANARY * 20),
    body(customer_id=[CANARY]),
    body(customer_id={"id": CANARY}),
    body(amount=CANARY),
    body(device_type=CANARY),
    body(transaction_timestamp=CANARY),
    body(customer_id=CANARY, risk_score=2.0),
    body(customer_id=CANARY, installment_count=2**70),
    body(**{CANARY: 1}),
    json.dumps(CANARY).encode(),
    f'{{"customer_id": "{CANARY}"'.encode(),
    f'{{"customer_id": "{CANARY}\\ud800"}}'.encode(),
    f'{{"customer_id": "{CANARY}'.encode() + b"\xff",
    CANARY.encode(),
]


def test_the_service_neither_logs_nor_measures_nor_traces_nor_keeps_a_customer(stocked: Shop, folder: Path) -> None:
    """Answers go to who asked; nothing else may tell whom it was about. A refusal does not say what it refuses."""
    with receiver() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        patch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url)
        with running(folder, stocked.url, stocked.namespace) as counter:
            replies = [counter.ask("/v1/score", content) for content in CANARY_BODIES]
            replies += [counter.ask("/v1/score/batch", b'{"purchases": [%b]}' % one) for one in CANARY_BODIES]
            replies += [counter.ask(f"/{CANARY}"), counter.ask(f"/v1/score?reasons={CANARY}", body())]
            replies.append(counter.ask("/v1/score", body(), authorization=f"Bearer {CANARY}", x_request_id="x" * 300))
            metrics = counter.ask("/metrics").json
            assert counter.stop() == 0
        told = {
            "log": counter.log.encode(),
            "metrics": metrics.encode(),
            "predictions": b"".join(file.read_bytes() for file in files_of(counter.predictions)),
            "traces": b"".join(collector.bodies),
            "refusals": json.dumps([one.json for one in replies if one.status != 200]).encode(),
        }

    assert Counter(reply.status for reply in replies) == Counter({422: 19, 400: 9, 200: 4, 404: 1})
    assert all(len(text) > 500 for text in told.values()), {name: len(text) for name, text in told.items()}
    assert [name for name, text in told.items() if CANARY.encode() in text] == []


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


# --- the stream ------------------------------------------------------------------------------------------------------


def test_a_worker_keeps_and_tells_of_no_customer_but_in_its_letters(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client, keyspace = shop.client, Keyspace("stream-of-canaries")
    source = RedisSource(client, keyspace.purchases, "velocity")
    worker = Worker(source, Target(client, keyspace, shop.target.key))
    poison = [f'{{"customer_id": "{CANARY}", "{CANARY}": 1}}', f"{CANARY}", f'"{CANARY}"', f'{{"amount": "{CANARY}"}}']
    payloads = [event(CANARY), *[text.encode() for text in poison], event(CANARY).replace(b"home", CANARY.encode())]

    RedisProducer(client, keyspace.purchases, "velocity").append(payloads)
    while worker.turn():
        pass

    events = [keyspace.purchases, keyspace.dead_letters]
    found = [key for key, content in stored(shop.url, keyspace.namespace) if CANARY.encode() in content]
    letters_found = newest(client, keyspace)
    assert sorted(found) == sorted(events)  # as they came: see docs/personal-data.md
    assert [letter.reason for letter in letters_found if CANARY in letter.reason] == []
    assert len(letters_found) == len(poison)
    assert CANARY not in exposition(worker_families(worker)).decode() + caplog.text
