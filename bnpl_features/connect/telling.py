"""Settings -> who is told: metrics, traces, alerts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bnpl_features.connect.extras import extra
from bnpl_features.errors import SettingsError
from bnpl_features.monitoring.telling import Destinations
from bnpl_features.settings import (
    AlertSettings,
    MonitoringSettings,
)
from bnpl_features.telemetry.tracing import UNTRACED, Tracer

if TYPE_CHECKING:
    from bnpl_features.alerts.targets import Target as AlertTarget


def destinations_of(settings: MonitoringSettings) -> Destinations:
    """Where jobs leave their metrics."""
    folder = Path(settings.textfile_folder).expanduser() if settings.textfile_folder else None
    return Destinations(folder, settings.pushgateway_url)


@contextmanager
def open_tracer(settings: MonitoringSettings, service_name: str) -> Iterator[Tracer]:
    """Where spans go: nowhere, unless the settings say otherwise. `service_name` is who tells, if they do not."""
    if settings.traces == "none":
        yield UNTRACED
        return
    with extra("tracing"):
        from bnpl_features.telemetry.otlp import exporting

    with exporting(settings.service_name or service_name, settings.traces_endpoint) as tracer:
        yield tracer


def alert_targets(settings: AlertSettings) -> list[AlertTarget]:
    """The log, and what else is configured; raises `SettingsError` where that is incomplete."""
    from bnpl_features.alerts.targets import LogTarget, MailTarget, WebhookTarget

    targets: list[AlertTarget] = [LogTarget()]
    if settings.webhook_url:
        targets.append(WebhookTarget(settings.webhook_url, settings.timeout_seconds))
    if settings.mail_host:
        recipients = tuple(settings.mail_to.replace(",", " ").split())
        if not (settings.mail_from and recipients):
            raise SettingsError("alerts.mail_host is set, but alerts.mail_from or alerts.mail_to is not; set all three")
        server = (settings.mail_host, settings.mail_port, settings.mail_from, recipients, settings.mail_security)
        login = (settings.mail_username, settings.mail_password)
        targets.append(MailTarget(*server, *login, settings.timeout_seconds))
    return targets
