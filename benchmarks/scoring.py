"""The prediction service under load: wrk as fast as it answers, and a steady rate; with the store and without.

    python -m benchmarks.scoring [customers] [seconds]

Service, Redis and load generator share the machine. Needs Debian's `wrk` and `redis-server`; Feast's feature
server beside it needs `make .venv-feast/ready`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis

from benchmarks.feast_server import FEAST, feast_body, feast_server
from benchmarks.fleet import wait_for
from benchmarks.model import DAILY_MODELS, made_up
from benchmarks.servers import redis_server
from benchmarks.steady import Exchange, post, steady
from benchmarks.store import KEY, YESTERDAY, random_vectors
from benchmarks.table import print_table
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.risk_model.training import train
from bnpl_features.scoring.purchase import columns_of, parse_purchase
from bnpl_features.scoring.served import activate, put
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.target import Target

CUSTOMERS, SECONDS = 200_000, 60
CONNECTIONS = 32
RATES_PER_SECOND = (1_700, 3_334)
"""100,000 and 200,000 predictions a minute: p99 is to be under 5 and under 20 ms."""

NOT_APPROVED_SHARE = 0.15
"""Of the purchases: these get reasons."""

STRIDE = 7_919
"""A prime: from one request to the next, so that customers come in no order."""

BODY = (
    '{"transaction_id":"t-%d","customer_id":"cust_%07d","transaction_timestamp":"2026-11-25T10:00:00Z","amount":%d.5,'
    '"product_category":"electronics","product_risk_category":"medium","device_type":"mobile","device_is_trusted":true,'
    '"risk_score":0.%02d,"purchase_context":"normal","checkout_speed":"normal","installment_count":4,'
    '"product_price":120.5,"payment_provider":"klarna","payment_credit_limit":1500.0,"time_on_site_seconds":320,'
    '"price_comparison_time":40,"cart_abandonment_count":1}'
)
_SCRIPT = """local n = {start}
function request()
  n = (n + {stride}) % {customers}
  return wrk.format("POST", "{path}", {{["content-type"] = "application/json"}},
    string.format('{body}', n, n, n % 900 + 5, n % 97))
end
"""
_SAMPLE = 2_000
_PATHS = {
    "score": "/v1/score",
    "score, no reasons": "/v1/score?reasons=none",
}


def main() -> None:
    customers = int(sys.argv[1]) if len(sys.argv) > 1 else CUSTOMERS
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    with tempfile.TemporaryDirectory() as scratch, redis_server(Path(scratch) / "redis") as url:
        if url is None or shutil.which("wrk") is None:
            print("needs redis-server and wrk: apt-get install redis-server wrk")
            return
        folder = Path(scratch)
        thresholds = stock(url, folder, customers)
        rows = []
        with service(url, folder, thresholds) as (port, _):
            rows += measured(port, customers, seconds, "store up")
            shutdown(url)
            time.sleep(2.0)
            rows += measured(port, customers, seconds, "store down")
        rows += peer(folder, customers, seconds)
    print_table(
        f"The prediction service, one worker, {customers:,} customers, {seconds} s each, service, Redis and load "
        f"generator on one machine, {NOT_APPROVED_SHARE:.0%} of known customers' purchases with reasons",
        ("load", "store", "predictions a minute", "p50, ms", "p99, ms", "failed"),
        rows,
    )


def stock(url: str, folder: Path, customers: int) -> tuple[float, float]:
    """Publish customers and train both models; returns thresholds that do not approve the wanted share."""
    layout = layout_of(BEHAVIOURAL)
    target = Target(connect(url), Keyspace("bench"), CustomerKey(KEY))
    batches = customer_batches(random_vectors(layout, customers), layout)
    publish(
        target, layout, batches, partition=YESTERDAY, customers=customers, provenance=Provenance("bench", actor="bench")
    )
    training, _, _ = made_up()
    models = [train(name, training) for name in DAILY_MODELS]
    for model in models:
        put(folder / "served", model)
    activate(folder / "served", models)
    behavioural = next(model for model in models if model.inputs.layout)
    vectors = [batch.column(name) for batch in random_vectors(layout, _SAMPLE) for name in layout.names]
    read = behavioural.reading(layout)
    scores = [
        behavioural.score_one(
            columns_of(parse_purchase(body_of(number).encode())), read([v[number].as_py() for v in vectors])
        )
        for number in range(_SAMPLE)
    ]
    low, high = np.quantile(scores, [1.0 - NOT_APPROVED_SHARE, 1.0 - NOT_APPROVED_SHARE / 2])
    return float(low), float(high)


class Service(NamedTuple):
    port: int
    process: subprocess.Popen[str]


@contextmanager
def service(url: str, folder: Path, thresholds: tuple[float, float]) -> Iterator[Service]:
    """A process of the prediction service that is ready, on a free port."""
    environment = dict(os.environ) | {
        "REDIS_URL": url,
        "BNPL_NAMESPACE": "bench",
        "BNPL_CUSTOMER_KEY": KEY.decode(),
        "BNPL_SCORING_MODELS_FOLDER": str(folder / "served"),
        "BNPL_SCORING_PREDICTIONS_FOLDER": str(folder / "predictions"),
        "BNPL_SCORING_REVIEW_FROM": str(thresholds[0]),
        "BNPL_SCORING_DECLINE_FROM": str(thresholds[1]),
    }
    program = Path(sys.executable).with_name("bnpl-features")
    words = [str(program), "serve", "--port", "0", "--without-registry"]
    with (folder / "log.ndjson").open("w") as log:
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().rpartition(" ")[2])
        wait_for(lambda: _is_ready(port), "the service is ready", 30.0)
        yield Service(port, process)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def measured(port: int, customers: int, seconds: int, store: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, path in _PATHS.items():
        a_second, p50, p99, failed = wrk(port, path, BODY, customers, seconds)
        rows.append((f"{name}, as fast as it goes", store, f"{60 * a_second:,.0f}", f"{p50:.2f}", f"{p99:.2f}", failed))
    for rate in RATES_PER_SECOND:
        taken, failed = at_a_steady_rate(port, customers, rate, seconds)
        p50, p99 = (1_000 * float(np.quantile(taken, share)) for share in (0.5, 0.99))
        a_minute = 60 * len(taken) / seconds
        rows.append((f"score, {rate:,}/s", store, f"{a_minute:,.0f}", f"{p50:.2f}", f"{p99:.2f}", failed))
    return rows


def at_a_steady_rate(port: int, customers: int, a_second: int, seconds: int) -> tuple[list[float], int]:
    """Seconds from due to answered, and how many answers were other than 200."""
    taken: list[float] = []
    statuses: Counter[int] = Counter()

    def request(number: int) -> bytes:
        return post(_PATHS["score"], body_of(number * STRIDE % customers).encode())

    def note(exchange: Exchange) -> None:
        taken.append(exchange.ended - exchange.due)
        statuses[exchange.status] += 1

    steady([port], request, note, a_second, seconds)
    return taken, statuses.total() - statuses[200]


def peer(folder: Path, customers: int, seconds: int) -> list[tuple[object, ...]]:
    """Feast's feature server, which looks up and does not score; nothing where its environment is missing."""
    if not FEAST.exists():
        print("for Feast's figures: make .venv-feast/ready")
        return []
    layout = layout_of(BEHAVIOURAL)
    vectors = folder / "vectors.parquet"
    pq.write_table(pa.Table.from_batches(random_vectors(layout, customers)), vectors)
    with redis_server(folder / "feast-redis") as url:
        assert url is not None
        with feast_server(folder, vectors, url) as port:
            body = feast_body(layout.names)
            a_second, p50, p99, failed = wrk(port, "/get-online-features", body, customers, seconds)
    name = "Feast's server, lookup only, as fast as it goes"
    return [(name, "up", f"{60 * a_second:,.0f}", f"{p50:.2f}", f"{p99:.2f}", failed)]


def wrk(port: int, path: str, body: str, customers: int, seconds: int) -> tuple[float, float, float, int]:
    """Answers a second, p50 and p99 in milliseconds, answers other than 200."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(start=0, stride=STRIDE, customers=customers, path=path, body=body))
        script.flush()
        words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", "-s", script.name]
        text = subprocess.run([*words, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True).stdout
    percentiles = dict(re.findall(r"(50|99)%\s+(\S+)", text))
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    a_second = float(re.search(r"Requests/sec:\s+(\S+)", text)[1])  # type: ignore[index]
    return a_second, _milliseconds(percentiles["50"]), _milliseconds(percentiles["99"]), int(failed[1]) if failed else 0


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def body_of(number: int) -> str:
    return BODY % (number, number, number % 900 + 5, number % 97)


def shutdown(url: str) -> None:
    with suppress(redis.ConnectionError):
        redis.Redis.from_url(url).shutdown(nosave=True)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1_000.0}[unit]


if __name__ == "__main__":
    main()
