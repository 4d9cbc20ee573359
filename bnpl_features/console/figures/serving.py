"""How the prediction service does: rates, latencies, fallbacks and hits between readings of its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from bnpl_features.console.figures.chart import Chart
from bnpl_features.console.figures.panel import Level, worst
from bnpl_features.console.figures.readings import Reading, percentile

Key = TypeVar("Key")

OBJECTIVE_FAILED_SHARE = 0.001
"""Of requests that may fail on our side: docs/runbooks/error-budget.md."""

P99_WARN_SECONDS = 0.1
"""As the alert on slow predictions."""

HIT_WARN_SHARE = 0.9
WINDOW_SECONDS = 300.0
_HITS = ("fresh", "stale")


@dataclass(frozen=True)
class Serving:
    """Between two readings `seconds` apart; a share is None where nothing was asked for. `budget_used` is the share of
    failures that the objective allows: above 1 the budget shrinks faster than it grows."""

    seconds: float
    requests_per_second: float
    predictions_per_second: float
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    lookup_p99_seconds: float | None
    failed_share: float | None
    fallback_share: float | None
    hit_share: float | None
    decisions: Mapping[str, float]
    fallbacks: Mapping[str, float]
    lookups: Mapping[str, float]
    served_version: int
    models: Mapping[str, int]
    log_dropped: int

    @property
    def budget_used(self) -> float | None:
        return None if self.failed_share is None else self.failed_share / OBJECTIVE_FAILED_SHARE

    @property
    def latency_level(self) -> Level:
        if self.p99_seconds is None:
            return Level.IDLE
        return Level.WARN if self.p99_seconds > P99_WARN_SECONDS else Level.OK

    @property
    def budget_level(self) -> Level:
        if self.budget_used is None:
            return Level.IDLE
        return Level.FAIL if self.budget_used > 14.4 else Level.WARN if self.budget_used > 1 else Level.OK

    @property
    def hit_level(self) -> Level:
        if self.hit_share is None:
            return Level.IDLE
        return Level.WARN if self.hit_share < HIT_WARN_SHARE else Level.OK

    @property
    def level(self) -> Level:
        return worst([self.latency_level, self.budget_level, self.hit_level])


def serving_between(before: Reading, after: Reading) -> Serving:
    """What happened from one reading to the other; a service that was started anew in between counts from there."""
    if sum(after.requests.values()) < sum(before.requests.values()):
        before = Reading(before.at, {}, {}, 0, {}, {}, {}, {})
    seconds = max(after.at - before.at, 0.001)
    requests, lookups = _since(before.requests, after.requests), _since(before.lookups, after.lookups)
    fallbacks, decisions = _since(before.fallbacks, after.fallbacks), _since(before.decisions, after.decisions)
    latencies = _since(before.latencies, after.latencies)
    asked, predicted = sum(requests.values()), after.predictions - before.predictions
    failed = sum(count for status, count in requests.items() if status.startswith("5"))
    hits = sum(lookups.get(status, 0) for status in _HITS)
    return Serving(
        seconds,
        asked / seconds,
        predicted / seconds,
        percentile(latencies, 0.5),
        percentile(latencies, 0.95),
        percentile(latencies, 0.99),
        percentile(_since(before.lookup_seconds, after.lookup_seconds), 0.99),
        _share(failed, asked),
        _share(sum(fallbacks.values()), predicted),
        _share(hits, sum(lookups.values())),
        _shares(decisions, predicted),
        _shares(fallbacks, predicted),
        _shares(lookups, sum(lookups.values())),
        after.served_version,
        after.models or {},
        after.log_dropped,
    )


def serving_now(readings: Sequence[Reading], window_seconds: float = WINDOW_SECONDS) -> Serving | None:
    """Of the newest minutes; None before there are two readings."""
    if len(readings) < 2:
        return None
    newest = readings[-1]
    oldest = next(one for one in readings if newest.at - one.at <= window_seconds)
    return serving_between(oldest if oldest is not newest else readings[-2], newest)


def serving_charts(readings: Sequence[Reading]) -> tuple[Chart, ...]:
    """Rate, latency percentiles and shares over all readings; nothing before there are three."""
    steps = [serving_between(*pair) for pair in pairwise(readings)]
    if len(steps) < 2:
        return ()
    x = [round(one.at) for one in readings[1:]]
    return (
        _chart(
            "Predictions", "a second, by time in UTC", x, {"predictions": [one.predictions_per_second for one in steps]}
        ),
        _chart(
            "Latency",
            "ms",
            x,
            {
                "p50": [_times(one.p50_seconds, 1_000) for one in steps],
                "p99": [_times(one.p99_seconds, 1_000) for one in steps],
            },
        ),
        _chart(
            "Customers found, and fallbacks",
            "% of lookups, % of predictions",
            x,
            {
                "found": [_times(one.hit_share, 100) for one in steps],
                "fallback": [_times(one.fallback_share, 100) for one in steps],
            },
        ),
    )


def _chart(title: str, unit: str, x: Sequence[float], series: Mapping[str, Sequence[float | None]]) -> Chart:
    said = [f"{name} {_span(values)}" for name, values in series.items()]
    rounded = [[None if one is None else round(one, 3) for one in values] for values in series.values()]
    return Chart(title, unit, tuple(series), x, rounded, f"{title}, {unit}: {'; '.join(said)}")


def _span(values: Sequence[float | None]) -> str:
    known = [one for one in values if one is not None]
    return f"{min(known):.3g} to {max(known):.3g}, now {known[-1]:.3g}" if known else "nothing"


def _since(before: Mapping[Key, int], after: Mapping[Key, int]) -> dict[Key, int]:
    return {key: count - before.get(key, 0) for key, count in after.items()}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


def _shares(parts: Mapping[str, int], whole: int) -> dict[str, float]:
    """Of those that there were any of."""
    return {name: part / whole for name, part in parts.items() if part and whole > 0}


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
