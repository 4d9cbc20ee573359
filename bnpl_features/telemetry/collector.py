"""Families for `prometheus_client`: a collector that asks for them anew at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.registry import Collector

from bnpl_features.telemetry.metric import Family


class FamilyCollector(Collector):
    """Register one a process: `registry.register(FamilyCollector(lambda: lookup_families(reader.lookups)))`."""

    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families():
            declared = family.metric
            # prometheus_client keeps a counter's name without the suffix that all its samples have.
            name = declared.name.removesuffix("_total")
            metric = Metric(name, declared.help, declared.kind.value)
            for sample in family.samples:
                metric.add_sample(declared.name + sample.suffix, dict(sample.labels), float(sample.value))
            yield metric
