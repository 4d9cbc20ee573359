"""What a worker does, as metrics, and the port where Prometheus asks for them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server

from bnpl_features.errors import SettingsError
from bnpl_features.streaming.worker import Worker
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.collector import FamilyCollector
from bnpl_features.telemetry.metric import Family, by_label, valued


def worker_families(worker: Worker) -> Iterator[Family]:
    measures = worker.measures
    yield by_label(catalogue.STREAM_EVENTS, {(outcome,): count for outcome, count in dict(measures.events).items()})
    yield valued(catalogue.STREAM_BATCHES, measures.batches)
    yield valued(catalogue.STREAM_FAILURES, measures.failures)
    yield valued(catalogue.STREAM_LAG_SECONDS, measures.lag.oldest_seconds)
    if measures.lag.waiting is not None:
        yield valued(catalogue.STREAM_LAG_EVENTS, measures.lag.waiting)


def serve_metrics(worker: Worker, port: int, certificate_file: str = "", key_file: str = "") -> None:
    """On all addresses, as Prometheus expects of an exporter; with TLS where files are named.

    Raises `SettingsError` where they cannot be used.
    """
    registry = CollectorRegistry()
    registry.register(FamilyCollector(lambda: worker_families(worker)))
    try:
        start_http_server(port, registry=registry, certfile=certificate_file or None, keyfile=key_file or None)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"metrics cannot be served on port {port} ({error}); correct streaming.metrics_port, "
            "streaming.metrics_certificate_file and streaming.metrics_key_file"
        ) from error
