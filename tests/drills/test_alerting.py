"""From a fault to the telephone: a real service and store, Prometheus and Alertmanager with the shipped files."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.bnpl_features.scoring.conftest import YESTERDAY
from tests.bnpl_features.scoring.counter import Counter, running
from tests.bnpl_features.store.shop import Shop, free_port, mortal_server, wait_until
from tests.deploy.test_alerts import MONITORING
from tests.monitors import alertmanager_of, prometheus

QUIET_SECONDS = 90.0
pytestmark = pytest.mark.drill


@dataclass
class Telephone:
    """Alerts by the path that Alertmanager sent them to."""

    url: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)

    def rang(self, path: str, alert: str) -> bool:
        return (path, alert) in self.calls


@contextmanager
def telephone() -> Iterator[Telephone]:
    phone = Telephone()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["content-length"])))
            phone.calls += [(self.path, alert["labels"]["alertname"]) for alert in message["alerts"]]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    phone.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield phone
    server.shutdown()
    server.server_close()


@contextmanager
def customers_at(counter: Counter) -> Iterator[None]:
    """Ten purchases a second."""
    gone = threading.Event()

    def ask() -> None:
        number = 0
        while not gone.wait(0.1):
            number += 1
            try:
                counter.score(customer_id=f"customer-{number % 50}")
            except OSError:
                time.sleep(0.5)

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    gone.set()
    thread.join()


def test_a_store_that_dies_and_a_service_that_dies_each_wake_the_person_on_call(tmp_path: Path) -> None:
    store_port, port = free_port(), free_port()
    url = f"redis://127.0.0.1:{store_port}/0"
    routing = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())
    with telephone() as phone:
        for receiver, path in zip(routing["receivers"], ("page", "ticket"), strict=True):
            receiver["webhook_configs"] = [{"url": f"{phone.url}/{path}", "send_resolved": False}]
        with (
            mortal_server(tmp_path / "valkey", store_port) as store,
            alertmanager_of(tmp_path / "alertmanager", routing) as alerted,
            prometheus(
                tmp_path / "prometheus", {"bnpl-scoring": f"127.0.0.1:{port}"}, MONITORING / "alerts.yaml", alerted
            ) as monitor,
        ):
            Shop(url, "drill").publish(50, YESTERDAY)
            with running(tmp_path / "counter", url, "drill", port=port) as counter, customers_at(counter):
                wait_until(lambda: bool(monitor.query("up == 1")), "the service is scraped", 30)
                time.sleep(QUIET_SECONDS)
                assert [call for call in phone.calls if call[0] == "/page"] == []

                store.send_signal(signal.SIGKILL)
                killed_for = wait_until(lambda: phone.rang("/page", "BnplFallbackShareHigh"), "fallback pages", 600)
                assert counter.score()["fallback"] == "unavailable"

                counter.process.send_signal(signal.SIGKILL)
                down_for = wait_until(lambda: phone.rang("/page", "BnplScoringDown"), "down pages", 180)
    print(f"\nthe telephone rang {killed_for:.0f} s after the store had died, {down_for:.0f} s after the service had")

    assert not [call for call in phone.calls if call[0] == "/ticket"]
