"""Alerts over real connections: a web server and mail servers of the test's own."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from bnpl_features.alerts.alert import Alert, Severity
from bnpl_features.alerts.targets import LogTarget, MailTarget, WebhookTarget
from bnpl_features.errors import AlertUndelivered

ALERT = Alert("late:1", "The publication\nis late", "At 06:00 – see", link="http://dagster.test/runs/1")
SECRET_PATH = "/services/T0/secret"


class Hook(BaseHTTPRequestHandler):
    """Answers with the status that its server was told, and keeps what came."""

    def do_POST(self) -> None:
        server: Any = self.server
        server.bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(server.status)
        if server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hook() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        server.status, server.bodies = 200, []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{SECRET_PATH}"


class Postbox:
    """An SMTP handler that keeps each envelope, and lets only on-call in."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.secured: list[bool] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.secured.append(session.ssl is not None)
        return "250 kept"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        is_known = (data.login, data.password) == (b"on-call", b"pass word")
        return AuthResult(success=is_known, handled=is_known)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def mail(controller: Controller, **changes: Any) -> MailTarget:
    given = {"security": "none"} | changes
    return MailTarget("localhost", controller.port, "store@lender.test", ("a@lender.test", "b@lender.test"), **given)


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


def serving(postbox: Postbox, **settings: Any) -> Controller:
    controller = Controller(postbox, hostname="localhost", port=_free_port(), **settings)
    controller.start()
    return controller


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_webhook_gets_text_as_slack_takes_it(hook: Any) -> None:
    WebhookTarget(address(hook)).send(ALERT)

    [(path, body)] = hook.bodies
    assert path == SECRET_PATH
    assert json.loads(body) == {
        "text": "*The publication\nis late*\nAt 06:00 – see\nhttp://dagster.test/runs/1",
    }


@pytest.mark.parametrize("status", [302, 404, 500])
def test_webhook_that_does_not_accept_is_an_error_without_its_address(hook: Any, status: int) -> None:
    hook.status = status

    with pytest.raises(AlertUndelivered, match=f"it answered {status}") as caught:
        WebhookTarget(address(hook)).send(ALERT)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/services/T0/secret", "secret", "ftp://"])
def test_webhook_that_is_not_there_is_an_error_without_its_address(url: str) -> None:
    with pytest.raises(AlertUndelivered, match="did not take the alert") as caught:
        WebhookTarget(url, timeout_seconds=2.0).send(ALERT)

    assert "secret" not in str(caught.value)
    assert "secret" not in repr(WebhookTarget(url))


def test_mail_reaches_all_recipients(postbox: Postbox) -> None:
    controller = serving(postbox)
    try:
        mail(controller).send(ALERT)
    finally:
        controller.stop()

    [envelope] = postbox.envelopes
    text = bytes(envelope.content).decode()  # type: ignore[arg-type]
    assert envelope.rcpt_tos == ["a@lender.test", "b@lender.test"]
    assert "Subject: [bnpl-features] The publication is late" in text
    assert "http://dagster.test/runs/1" in text


def test_mail_with_a_password_goes_over_tls_to_the_right_server_only(
    postbox: Postbox, certificate: ssl.SSLContext, trust: ssl.SSLContext
) -> None:
    controller = serving(
        postbox, tls_context=certificate, require_starttls=True, authenticator=postbox.authenticate, auth_required=True
    )
    login = {"security": "starttls", "username": "on-call"}
    try:
        mail(controller, **login, password="pass word", trust=trust).send(ALERT)
        with pytest.raises(AlertUndelivered, match="SMTPAuthenticationError 535") as caught:
            mail(controller, **login, password="wrong", trust=trust).send(ALERT)
        with pytest.raises(AlertUndelivered, match="SSLCertVerificationError"):
            mail(controller, **login, password="pass word").send(ALERT)
    finally:
        controller.stop()

    assert postbox.secured == [True]
    assert "wrong" not in str(caught.value)


def test_mail_server_that_is_not_there_is_an_error() -> None:
    target = MailTarget("127.0.0.1", _free_port(), "a@lender.test", ("b@lender.test",), timeout_seconds=2.0)

    with pytest.raises(AlertUndelivered, match="ConnectionRefusedError"):
        target.send(ALERT)


def test_the_log_tells_errors_from_news(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bnpl_features.alerts")

    LogTarget().send(ALERT)
    LogTarget().send(Alert("k", "trained", "drift", Severity.INFO))

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
