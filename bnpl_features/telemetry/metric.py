"""What a metric is, and what a value of it is: declarations and plain data, whoever reads or sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Teller(StrEnum):
    """Who exposes a metric."""

    SERVICE = "the prediction service, at /metrics"
    READER = (
        "whoever reads features: the prediction service, or a reader of yours ([how](store.md#what-a-reader-answers))"
    )
    STORE = "`bnpl-features metrics`, and the daily run at its end"
    PUBLICATION = "the daily run, when it has published"
    RUN = "the daily run at its end, failed or not"
    EXPERIMENT = "the job `review_experiments`"
    STREAM = "each worker of the stream, at the port `streaming.metrics_port`"


@dataclass(frozen=True)
class Metric:
    """`name` is the exposed one, for a counter with `_total`; samples of a histogram add a suffix to it."""

    name: str
    kind: Kind
    teller: Teller
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """`labels` are pairs of name and value."""

    labels: tuple[tuple[str, str], ...]
    value: float
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """A metric and all that is known of it at one moment."""

    metric: Metric
    samples: tuple[Sample, ...]


def valued(metric: Metric, value: float) -> Family:
    """The one value of a metric without labels."""
    return by_label(metric, {(): value})


def by_label(metric: Metric, values: Mapping[tuple[object, ...], float]) -> Family:
    """One sample a key, whose parts are the labels' values in the declared order."""
    ordered = sorted(values.items(), key=lambda one: str(one[0]))
    return Family(metric, tuple(Sample(_named(metric, key), value) for key, value in ordered))


def distributed(
    metric: Metric, bounds: Sequence[float], values: Mapping[tuple[object, ...], tuple[Sequence[int], float]]
) -> Family:
    """A histogram: for each key the counts between the bounds, one more than there are bounds, and the sum."""
    samples: list[Sample] = []
    for key, (counts, total) in sorted(values.items(), key=lambda one: str(one[0])):
        samples += _buckets(_named(metric, key), bounds, counts, total)
    return Family(metric, tuple(samples))


def _buckets(
    labels: tuple[tuple[str, str], ...], bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterable[Sample]:
    """Prometheus counts what is at or below each bound."""
    below = 0
    for bound, count in zip([*(f"{bound:g}" for bound in bounds), "+Inf"], counts, strict=True):
        below += count
        yield Sample((*labels, ("le", bound)), below, "_bucket")
    yield Sample(labels, total, "_sum")
    yield Sample(labels, below, "_count")


def _named(metric: Metric, key: tuple[object, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(metric.labels, map(str, key), strict=True))
