"""The load generator: a steady rate, latency from when a request was due, and nothing that is left out."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.steady import CONNECTIONS, Exchange, post, steady

STALL_SECONDS = 0.4


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers with what it was sent; `stall` makes all wait, `hang up` closes without an answer."""

    protocol_version = "HTTP/1.1"
    is_free = threading.Event()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if content == b"hang up":
            self.close_connection = True
            return
        if content == b"stall":
            self.is_free.clear()
            threading.Timer(STALL_SECONDS, self.is_free.set).start()
        self.is_free.wait()
        self.send_response(503 if content == b"refuse" else 200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[int]:
    Answering.is_free.set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.request_queue_size = 2 * CONNECTIONS
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def exchanges(special: dict[int, bytes], a_second: int = 200, seconds: float = 1.0) -> list[Exchange]:
    """In the order of requests; request n sends `special[n]`, or its number."""
    found: list[Exchange] = []
    with answering() as port:
        steady([port], lambda n: post("/", special.get(n, b"%d" % n)), found.append, a_second, seconds)
    return sorted(found)


def test_every_request_is_sent_when_it_is_due_and_has_its_own_answer() -> None:
    started = time.monotonic()
    found = exchanges({})

    assert [one.content for one in found] == [b"%d" % number for number in range(200)]
    assert found[-1].due - found[0].due == pytest.approx(0.995)
    assert {one.status for one in found} == {200}
    assert found[0].due > started


def test_what_waits_behind_a_stall_counts_from_when_it_was_due() -> None:
    """Of 80 requests in the stall the first 32 are on their way; the others have not even been sent."""
    found = exchanges({100: b"stall"})

    delayed = [one.ended - one.due for one in found[101:180]]
    assert delayed[0] > STALL_SECONDS - 0.1
    assert sum(seconds > 0.1 for seconds in delayed) > CONNECTIONS + 10
    assert found[160].sent - found[160].due > 0.05


def test_a_connection_that_is_closed_has_failed_one_request_and_no_other() -> None:
    found = exchanges({50: b"hang up", 60: b"refuse"})

    assert [(one.number, one.status) for one in found if one.status != 200] == [(50, 0), (60, 503)]
