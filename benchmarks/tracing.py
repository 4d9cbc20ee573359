"""What traces cost a prediction: one client, one request after the other, services with and without side by side.

    python -m benchmarks.tracing [rounds]

Services, Redis and collector share the machine, so the services take turns of 200 requests.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.scoring import body_of, service, stock
from benchmarks.servers import redis_server
from benchmarks.table import print_table

ROUNDS, REQUESTS, CUSTOMERS = 20, 200, 20_000
_SINK_SECONDS = 5.0


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(redis_server(folder / "redis"))
        if url is None:
            print("needs redis-server: apt-get install redis-server")
            return
        thresholds = stock(url, folder, CUSTOMERS)
        sink = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": _sink(stack)}
        sampled = sink | {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
        connections = {}
        for name, variables in {"off": {}, "on, every hundredth sampled": sampled, "on, all": sink}.items():
            with patch.dict(os.environ, variables):
                port = stack.enter_context(service(url, folder, thresholds)).port
            connections[name] = http.client.HTTPConnection("127.0.0.1", port)
        seconds: dict[str, list[float]] = {name: [] for name in connections}
        for turn in range(rounds):
            for name, connection in connections.items():
                asked = [_ask(connection, turn * REQUESTS + number) for number in range(REQUESTS)]
                seconds[name] += asked[REQUESTS // 10 :]  # the first warm up what the others had cooled down
    print_table(
        f"One prediction without reasons, {rounds * REQUESTS:,} requests each, one client, microseconds",
        ("traces", "p50", "p99"),
        [
            (name, *(f"{1e6 * float(np.quantile(found, share)):,.0f}" for share in (0.5, 0.99)))
            for name, found in seconds.items()
        ],
    )


def _ask(connection: http.client.HTTPConnection, number: int) -> float:
    started = time.perf_counter()
    headers = {"content-type": "application/json"}
    connection.request("POST", "/v1/score?reasons=none", body_of(number % CUSTOMERS), headers)
    connection.getresponse().read()
    return time.perf_counter() - started


def _sink(stack: ExitStack) -> str:
    """A collector that takes everything, in a process of its own; its address."""
    there, here = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_swallow, args=(there,), daemon=True)
    process.start()
    stack.callback(process.terminate)
    return f"http://127.0.0.1:{here.recv()}/v1/traces" if here.poll(_SINK_SECONDS) else ""


def _swallow(pipe: multiprocessing.connection.Connection) -> None:  # type: ignore[name-defined]
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pipe.send(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
