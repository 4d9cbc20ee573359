"""What a worker does, for Prometheus: collected when it asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bnpl_features.streaming.worker import Worker


class WorkerCollector(Collector):
    """Register one a worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        measures = self._worker.measures
        events = CounterMetricFamily("bnpl_stream_events", "Events taken, by outcome.", labels=["outcome"])
        for outcome, count in dict(measures.events).items():
            events.add_metric([outcome], count)
        yield events
        yield CounterMetricFamily("bnpl_stream_batches", "Batches acknowledged.", value=measures.batches)
        yield CounterMetricFamily(
            "bnpl_stream_failures", "Turns that failed and are tried again.", value=measures.failures
        )
        yield GaugeMetricFamily(
            "bnpl_stream_lag_seconds", "Age of the oldest event not applied.", value=measures.lag.oldest_seconds
        )
        if measures.lag.waiting is not None:
            yield GaugeMetricFamily("bnpl_stream_lag_events", "Events not applied yet.", value=measures.lag.waiting)


def serve_metrics(worker: Worker, port: int) -> None:
    """On all addresses, as Prometheus expects of an exporter."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(worker))
    start_http_server(port, registry=registry)
