"""TLS by configuration, over real connections, with an authority of one's own: the service, workers' metrics, Kafka,
traces, webhooks. That of the store is in `bnpl_features/store/test_hostile.py`, mail's in `bnpl_features/alerts`."""

from __future__ import annotations

import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from bnpl_features.alerts.alert import Alert
from bnpl_features.alerts.targets import WebhookTarget
from bnpl_features.errors import AlertUndelivered, SettingsError
from bnpl_features.scoring.encryption import encryption_of
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.target import Target
from bnpl_features.streaming.kafka_source import KafkaSource
from bnpl_features.streaming.metrics import serve_metrics
from bnpl_features.streaming.redis_source import RedisSource
from bnpl_features.streaming.worker import Worker
from bnpl_features.telemetry.otlp import exporting
from tests.bnpl_features.scoring.conftest import folder, stocked
from tests.bnpl_features.scoring.counter import running
from tests.bnpl_features.store.shop import Shop, free_port

__all__ = ["folder", "stocked"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, and certificates of that authority for this machine and for a caller."""
    place = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(place / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(place / "other-ca.pem"))
    for name in ("server", "client"):
        issued = authority.issue_cert("127.0.0.1", "localhost")
        issued.private_key_pem.write_to_path(str(place / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(place / f"{name}.pem"))
    return place


def trusting(files: Path, ca: str = "ca.pem", client: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(files / ca))
    if client:
        context.load_cert_chain(files / f"{client}.pem", files / f"{client}.key")
    return context


# --- the prediction service ------------------------------------------------------------------------------------------


def test_the_service_answers_over_https_and_only_to_callers_with_a_certificate(
    files: Path, stocked: Shop, folder: Path
) -> None:
    named = {"certificate_file": "server.pem", "key_file": "server.key", "client_ca_file": "ca.pem"}
    settings = {name: files / file for name, file in named.items()}
    trust = trusting(files, client="client")

    with running(folder, stocked.url, stocked.namespace, trust=trust, **settings) as counter:
        assert counter.score(customer_id="customer-1")["model"] == "behavioural"
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(counter.url + "/healthz", context=trusting(files, "other-ca.pem", "client"))
        with pytest.raises(OSError, match=r"CERTIFICATE_REQUIRED|reset|closed"):
            urllib.request.urlopen(counter.url + "/healthz", context=trusting(files))
        with pytest.raises(OSError, match=r"."):
            urllib.request.urlopen(f"http://127.0.0.1:{counter.port}/healthz")


def test_a_service_whose_certificate_cannot_be_used_does_not_start(files: Path) -> None:
    foreign = encryption_of(str(files / "server.pem"), str(files / "client.key"), "")
    missing = encryption_of("/nowhere/cert.pem", "/nowhere/key.pem", "")

    for encryption in (foreign, missing):
        assert encryption
        with pytest.raises(SettingsError, match=r"correct scoring\.certificate_file"):
            encryption.check()
    with pytest.raises(SettingsError, match="belong together"):
        encryption_of("cert.pem", "", "")


# --- a worker's metrics ----------------------------------------------------------------------------------------------


def test_a_workers_metrics_are_served_over_https(files: Path, stocked: Shop) -> None:
    target = Target(stocked.client, Keyspace("metrics"), CustomerKey())
    worker = Worker(RedisSource(stocked.client, Keyspace("metrics").purchases, "velocity"), target)
    port = free_port()

    serve_metrics(worker, port, str(files / "server.pem"), str(files / "server.key"))

    with urllib.request.urlopen(f"https://127.0.0.1:{port}/metrics", context=trusting(files)) as found:
        assert b"bnpl_stream_batches_total 0" in found.read()
    with pytest.raises(SettingsError, match=r"streaming\.metrics_certificate_file"):
        serve_metrics(worker, free_port(), "/nowhere/cert.pem", "/nowhere/key.pem")


# --- Kafka -----------------------------------------------------------------------------------------------------------


def test_an_option_that_kafkas_client_refuses_is_told_without_its_value() -> None:
    with pytest.raises(SettingsError, match=r"streaming\.url is refused") as caught:
        KafkaSource("127.0.0.1:9092?sasl.mechanisms=hunter2&sasl.pasword=hunter2", "purchases", "velocity")

    assert "hunter2" not in str(caught.value)


# --- what is sent by HTTPS -------------------------------------------------------------------------------------------


@contextmanager
def web_server(files: Path) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTPS server that keeps what it is sent: (its address, bodies)."""
    bodies: list[bytes] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Keep) as server:
        server.socket = server_context(files).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", bodies
        server.shutdown()


def test_traces_go_over_https_to_an_authority_of_ones_own(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(files / "ca.pem"))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # of the library below, whose variables take precedence
        monkeypatch.delenv(name, raising=False)

    with web_server(files) as (url, bodies), exporting("test", f"{url}/v1/traces") as tracer, tracer.span("lookup"):
        pass

    assert len(bodies) == 1


def test_a_webhook_goes_over_https_and_to_the_right_server_only(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = Alert("late:1", "late", "at 06:00")
    with web_server(files) as (url, bodies):
        monkeypatch.setenv("SSL_CERT_FILE", str(files / "other-ca.pem"))
        with pytest.raises(AlertUndelivered, match="SSLCertVerificationError"):
            WebhookTarget(url).send(alert)
        monkeypatch.setenv("SSL_CERT_FILE", str(files / "ca.pem"))
        WebhookTarget(url).send(alert)

    assert len(bodies) == 1


# --- parts -----------------------------------------------------------------------------------------------------------


def server_context(files: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "server.pem", files / "server.key")
    return context


@contextmanager
def tls_before(address: str, port: int, files: Path) -> Iterator[None]:
    """Takes TLS off what comes to the port, and hands it on."""
    host, _, behind = address.partition(":")
    context = server_context(files)

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while piece := source.recv(1 << 16):
                sink.sendall(piece)
        with suppress(OSError):
            sink.close()

    def serve(raw: socket.socket) -> None:
        with suppress(OSError):
            near = context.wrap_socket(raw, server_side=True)
            far = socket.create_connection((host, int(behind)))
            threading.Thread(target=copy, args=(far, near), daemon=True).start()
            copy(near, far)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
