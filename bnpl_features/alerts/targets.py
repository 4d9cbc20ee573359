"""Where alerts go: the log, a webhook as Slack and its likes take it, e-mail."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Protocol

from bnpl_features.alerts.alert import Alert, Severity
from bnpl_features.errors import AlertUndelivered

TIMEOUT_SECONDS = 10.0
_LOG = logging.getLogger("bnpl_features.alerts")
_LEVELS = {Severity.ERROR: logging.ERROR, Severity.INFO: logging.INFO}


class Target(Protocol):
    """`name` stays the same over restarts: what could not be sent is kept for the target of that name."""

    @property
    def name(self) -> str: ...

    def send(self, alert: Alert) -> None:
        """Raises `AlertUndelivered`, whose message holds no secret."""
        ...


@dataclass(frozen=True)
class LogTarget:
    """The logger `bnpl_features.alerts`."""

    name: str = "log"

    def send(self, alert: Alert) -> None:
        _LOG.log(_LEVELS[alert.severity], "%s: %s", alert.title, alert.body)


@dataclass(frozen=True)
class WebhookTarget:
    """A POST of `{"text": ...}`; the URL is a secret. Proxies are those of the environment."""

    url: str = field(repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    name: str = "webhook"

    def send(self, alert: Alert) -> None:
        body = json.dumps({"text": f"*{alert.title}*\n{alert.body}"}).encode()
        try:
            request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"}, method="POST")
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=self.timeout_seconds):
                return
        except urllib.error.HTTPError as error:
            cause = f"it answered {error.code}"
        except (OSError, HTTPException, ValueError) as error:
            # The reason of a URLError is the innermost; its own text, as that of a ValueError, may hold the address.
            cause = type(getattr(error, "reason", error)).__name__
        raise AlertUndelivered(
            f"the webhook did not take the alert {alert.title!r}: {cause}; check alerts.webhook_url "
            "(BNPL_ALERTS_WEBHOOK_URL), then `bnpl-features test-alert`"
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without the alert, and look delivered."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


@dataclass(frozen=True)
class MailTarget:
    """One message to all recipients. `security` is `starttls` or `tls`, with the certificate checked, or `none`."""

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    security: str = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    name: str = "mail"
    trust: ssl.SSLContext | None = field(default=None, repr=False, compare=False)

    def send(self, alert: Alert) -> None:
        try:
            with self._connected() as server:
                if self.username:
                    server.login(self.username, self.password)
                server.send_message(self._message(alert))
        except (OSError, smtplib.SMTPException) as error:
            refused = f"{type(error).__name__} {getattr(error, 'smtp_code', '')}".strip()
            raise AlertUndelivered(
                f"the mail server {self.host}:{self.port} did not take the alert {alert.title!r}: {refused}; check the "
                "settings alerts.mail_*, then `bnpl-features test-alert`"
            ) from error

    def _connected(self) -> smtplib.SMTP:
        trust = self.trust or ssl.create_default_context()
        if self.security == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_seconds, context=trust)
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
        if self.security == "starttls":
            try:
                server.starttls(context=trust)
            except BaseException:
                server.close()
                raise
        return server

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        # A line break in a header would be refused.
        message["Subject"] = f"[bnpl-features] {' '.join(alert.title.split())}"
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(alert.body)
        return message


def described(target: Any) -> str:
    """The target as it may be shown."""
    return f"{target.name} ({', '.join(target.recipients)})" if isinstance(target, MailTarget) else str(target.name)
