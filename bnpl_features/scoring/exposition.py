"""The service's counts as metrics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from bnpl_features.scoring.experiments.assignment import Assignments
from bnpl_features.scoring.measures import BOUNDS_SECONDS
from bnpl_features.scoring.service import Service
from bnpl_features.store.reading.metrics import lookup_families
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.exposition import exposition
from bnpl_features.telemetry.metric import Family, by_label, distributed, valued


def metrics_of(service: Service) -> bytes:
    """What Prometheus reads at /metrics."""
    return exposition(chain(lookup_families(service.store.lookups), service_families(service)))


def service_families(service: Service) -> Iterator[Family]:
    measures, log, changing = service.measures, service.log, service.changing
    yield by_label(catalogue.REQUESTS, {tuple(key): count for key, count in measures.requests.items()})
    yield distributed(
        catalogue.REQUEST_SECONDS, BOUNDS_SECONDS, {(path,): found for path, found in measures.seconds.items()}
    )
    yield valued(catalogue.REQUESTS_IN_FLIGHT, service.in_flight)
    yield valued(catalogue.REQUESTS_TIMED_OUT, measures.timed_out)
    yield by_label(catalogue.PREDICTIONS, {tuple(key): count for key, count in measures.predictions.items()})
    yield valued(catalogue.REASONS_LATE, measures.late_reasons)
    yield by_label(catalogue.PREDICTION_LOG, {("written",): log.written, ("dropped",): log.dropped})
    yield valued(catalogue.PREDICTION_LOG_QUEUED, log.queued)
    yield by_label(catalogue.SHADOW, {(outcome,): count for outcome, count in service.shadows.counts.items()})
    followed = [one for one in (changing.models, changing.assignments, changing.keys) if one is not None]
    yield by_label(catalogue.CHANGES, {(one.name,): one.changes for one in followed})
    yield by_label(catalogue.CHANGE_FAILURES, {(one.name,): one.failures for one in followed})
    yield by_label(catalogue.DEPRECATED_READS, {(name,): count for name, count in measures.deprecated.items()})
    champions = changing.models.value.champions
    yield by_label(catalogue.MODEL_VERSION, {(name,): float(one.version or 0) for name, one in champions.items()})
    yield from _experiments(changing.assignments.value)


def _experiments(assignments: Assignments) -> Iterator[Family]:
    running = assignments.definitions.running
    shares = running.shares if running else {}
    yield valued(catalogue.EXPERIMENT_REVISION, assignments.definitions.revision)
    yield by_label(
        catalogue.EXPERIMENT_SHARE, {(running.name, arm): share for arm, share in shares.items()} if running else {}
    )
