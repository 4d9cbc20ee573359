"""Which of the configured connections leave this machine unencrypted."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from bnpl_features.errors import StoreUnavailable
from bnpl_features.settings import Settings, StreamingSettings
from bnpl_features.store.address import parse_address

_HERE = ("", "localhost", "127.0.0.1", "::1")
_OF_A_DATABASE = ("require", "verify-ca", "verify-full")


def unencrypted(settings: Settings) -> Iterator[str]:
    """The names of the settings. Those of a mesh that encrypts between machines are named as well: it is not seen."""
    addresses = {
        "warehouse.api_endpoint": settings.warehouse.api_endpoint,
        "model.registry_url": settings.model.registry_url,
        "monitoring.pushgateway_url": settings.monitoring.pushgateway_url,
        "monitoring.traces_endpoint": settings.monitoring.traces_endpoint,
        "alerts.webhook_url": settings.alerts.webhook_url,
    }
    yield from (name for name, url in addresses.items() if url and not (_is_here(url) or _is_encrypted(url)))
    if _is_open_store(settings.store.url):
        yield "store.url"
    if _is_open_broker(settings.streaming):
        yield "streaming.url"
    if settings.alerts.mail_host not in _HERE and settings.alerts.mail_security == "none":
        yield "alerts.mail_security"
    if settings.scoring.host not in _HERE and not settings.scoring.certificate_file:
        yield "scoring.certificate_file"
    if settings.streaming.metrics_port and not settings.streaming.metrics_certificate_file:
        yield "streaming.metrics_certificate_file"


def _is_open_store(url: str) -> bool:
    try:
        address = parse_address(url) if url else None
    except StoreUnavailable:  # told where the store is examined
        return False
    return bool(address and not address.encryption and any(port and host not in _HERE for host, port in address.nodes))


def _is_open_broker(streaming: StreamingSettings) -> bool:
    if streaming.source == "redis":
        return _is_open_store(streaming.url)
    servers, _, options = streaming.url.partition("?")
    protocol = parse_qs(options).get("security.protocol", ["plaintext"])[-1]
    is_here = all(server.rpartition(":")[0] in _HERE for server in servers.split(","))
    return streaming.source == "kafka" and not is_here and not protocol.lower().endswith("ssl")


def _is_here(url: str) -> bool:
    return (urlsplit(url if "://" in url else f"//{url}").hostname or "") in _HERE


def _is_encrypted(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or parse_qs(parts.query).get("sslmode", [""])[-1] in _OF_A_DATABASE
