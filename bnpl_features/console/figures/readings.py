"""What a prediction service has counted since its start, at one moment: its metrics, read as Prometheus reads them."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from bnpl_features.errors import InputError, ServiceUnavailable
from bnpl_features.telemetry import catalogue

SCORE_PATHS = "/v1/score"
_READ_SECONDS = 2.0
_INFINITY = float("inf")


@dataclass(frozen=True)
class Reading:
    """Counts since the service started. `requests` and the latencies are of its scoring addresses; `latencies` and
    `lookup_seconds` map an upper bound in seconds to how many took no longer; `fallbacks` has those scored by another
    than the intended model, by why."""

    at: float
    requests: Mapping[str, int]
    latencies: Mapping[float, int]
    predictions: int
    decisions: Mapping[str, int]
    fallbacks: Mapping[str, int]
    lookups: Mapping[str, int]
    lookup_seconds: Mapping[float, int]
    served_version: int = 0
    in_flight: int = 0
    log_dropped: int = 0
    models: Mapping[str, int] | None = None


def read_service(url: str) -> Reading:
    """Raises `ServiceUnavailable` where no prediction service answers."""
    address = f"{url.rstrip('/')}/metrics"
    if not address.startswith(("http://", "https://")):
        raise InputError(f"console.service_url {url!r} is no address of a prediction service; write http://host:port")
    try:
        with urllib.request.urlopen(address, timeout=_READ_SECONDS) as found:
            return reading_of(found.read().decode("utf-8"), time.time())
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ServiceUnavailable(
            f"the prediction service at {url} does not answer ({reason}); start it with `bnpl-features serve`, or "
            "correct console.service_url"
        ) from error


def reading_of(text: str, at: float) -> Reading:
    """From Prometheus's text format; raises ValueError where it is not that."""
    requests: Counter[str] = Counter()
    latencies: Counter[float] = Counter()
    decisions: Counter[str] = Counter()
    fallbacks: Counter[str] = Counter()
    lookups: Counter[str] = Counter()
    lookup_seconds: Counter[float] = Counter()
    models: dict[str, int] = {}
    single: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels, value = sample.labels, int(sample.value)
            if sample.name == catalogue.REQUESTS.name and labels["path"].startswith(SCORE_PATHS):
                requests[labels["status"]] += value
            elif sample.name == f"{catalogue.REQUEST_SECONDS.name}_bucket" and labels["path"] == SCORE_PATHS:
                latencies[float(labels["le"])] += value
            elif sample.name == catalogue.PREDICTIONS.name:
                decisions[labels["decision"]] += value
                if labels["fallback"]:
                    fallbacks[labels["fallback"]] += value
            elif sample.name == catalogue.LOOKUP_ANSWERS.name:
                lookups[labels["status"]] += value
            elif sample.name == f"{catalogue.LOOKUP_SECONDS.name}_bucket":
                lookup_seconds[float(labels["le"])] += value
            elif sample.name == catalogue.MODEL_VERSION.name:
                models[labels["model"]] = value
            elif sample.name == catalogue.PREDICTION_LOG.name and labels["outcome"] == "dropped":
                single["dropped"] = value
            elif sample.name in (catalogue.SERVED_VERSION.name, catalogue.REQUESTS_IN_FLIGHT.name):
                single[sample.name] = value
    return Reading(
        at,
        requests,
        latencies,
        sum(decisions.values()),
        decisions,
        fallbacks,
        lookups,
        lookup_seconds,
        int(single.get(catalogue.SERVED_VERSION.name, 0)),
        int(single.get(catalogue.REQUESTS_IN_FLIGHT.name, 0)),
        int(single.get("dropped", 0)),
        models,
    )


def percentile(counts: Mapping[float, int], share: float) -> float | None:
    """The seconds that `share` (0..1) did not exceed, linear inside a bucket; None of nothing, and where it lies above
    the last bound, that bound. Source: Prometheus's histogram_quantile."""
    bounds = sorted(counts)
    total = counts[bounds[-1]] if bounds else 0
    if total <= 0:
        return None
    wanted, below, low = share * total, 0, 0.0
    for bound in bounds:
        if counts[bound] >= wanted:
            if bound == _INFINITY:
                return low
            return low + (bound - low) * (wanted - below) / max(counts[bound] - below, 1)
        below, low = counts[bound], bound
    return low
