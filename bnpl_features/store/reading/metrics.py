"""How lookups go, for Prometheus (`prometheus_client`): collected when it asks, so a lookup pays nothing for it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bnpl_features.store.reading.lookups import Lookups
from bnpl_features.store.reading.stats import BOUNDS_SECONDS


class LookupCollector(Collector):
    """Register one for each reader: `registry.register(LookupCollector(reader.lookups))`."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    def collect(self) -> Iterator[Metric]:
        stats, follower = self._lookups.stats, self._lookups.follower
        answers = CounterMetricFamily("bnpl_lookup_answers", "Customers answered, by status.", labels=["status"])
        seconds = HistogramMetricFamily(
            "bnpl_lookup_seconds", "What the call took that a customer was answered in, by status.", labels=["status"]
        )
        for status, (buckets, total) in stats.histograms().items():
            answers.add_metric([status], sum(buckets))
            seconds.add_metric([status], _cumulative(buckets), total)
        yield answers
        yield seconds
        yield CounterMetricFamily("bnpl_lookup_corrupt_records", "Records that were none.", value=stats.corrupt)
        yield GaugeMetricFamily(
            "bnpl_pointer_age_seconds", "Since the store confirmed the active version.", value=follower.age_seconds
        )
        if follower.served is not None:
            manifest = follower.served.manifest
            yield GaugeMetricFamily("bnpl_served_version", "The version served.", value=manifest.version)
        deprecated = GaugeMetricFamily(
            "bnpl_feature_set_deprecated", "1 where a set that is followed is deprecated.", labels=["feature_set"]
        )
        for served in follower.all_served:
            deprecated.add_metric([served.manifest.layout.feature_set], float(bool(served.deprecation)))
        yield deprecated
        circuits = GaugeMetricFamily("bnpl_circuit_open", "1 where a server is not asked.", labels=["server"])
        for server, breaker in dict(self._lookups.asker.breakers).items():
            circuits.add_metric([str(server)], float(breaker.is_open))
        yield circuits


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    """Prometheus counts what is at or below each bound."""
    bounds = [*(str(bound) for bound in BOUNDS_SECONDS), "+Inf"]
    return [(bound, float(sum(buckets[: number + 1]))) for number, bound in enumerate(bounds)]
