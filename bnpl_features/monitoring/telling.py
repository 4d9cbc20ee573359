"""How what a job knows reaches Prometheus, which cannot scrape a process that has ended: a textfile, a Pushgateway."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bnpl_features.errors import MetricsNotTold
from bnpl_features.telemetry.metric import Family

_PUSH_SECONDS = 5.0


@dataclass(frozen=True)
class Destinations:
    """`textfile_folder` is that of node_exporter's textfile collector; None and empty: not there."""

    textfile_folder: Path | None = None
    pushgateway_url: str = ""

    @property
    def is_anywhere(self) -> bool:
        return bool(self.textfile_folder or self.pushgateway_url)


def tell(destinations: Destinations, subject: str, families: Iterable[Family]) -> None:
    """Replace all that was told of the subject before, whole or not at all; raises `MetricsNotTold`.

    A subject is a file `bnpl_<subject>.prom` and a group of the Pushgateway: two subjects must not share a series.
    """
    if not destinations.is_anywhere:
        return
    try:
        from prometheus_client import CollectorRegistry, push_to_gateway, write_to_textfile

        from bnpl_features.telemetry.collector import FamilyCollector
    except ImportError as error:
        raise MetricsNotTold(
            "metrics are to be told, but prometheus_client is not installed; pip install 'bnpl-features[metrics]'"
        ) from error
    found = tuple(families)
    registry = CollectorRegistry()
    registry.register(FamilyCollector(lambda: found))
    try:
        if destinations.textfile_folder:
            destinations.textfile_folder.mkdir(parents=True, exist_ok=True)
            write_to_textfile(str(destinations.textfile_folder / f"bnpl_{subject}.prom"), registry)
        if destinations.pushgateway_url:
            push_to_gateway(destinations.pushgateway_url, f"bnpl_{subject}", registry, timeout=_PUSH_SECONDS)
    except OSError as error:
        raise MetricsNotTold(
            f"the metrics of {subject} were not told: {error}; see monitoring.textfile_folder and "
            "monitoring.pushgateway_url"
        ) from error
