"""The service's counts as Prometheus reads them."""

from __future__ import annotations

import time

from bnpl_features.scoring.measures import BOUNDS_SECONDS, Sample, counted, exposition, histogram
from bnpl_features.scoring.service import Service
from bnpl_features.store.reading import stats


def metrics_of(service: Service) -> bytes:
    measures, log, lookups = service.measures, service.log, service.store.lookups
    changing = service.changing
    followed = [one for one in (changing.models, changing.assignments, changing.keys) if one is not None]
    lookup_samples: list[Sample] = []
    for status, (buckets, seconds) in sorted(lookups.stats.histograms().items()):
        lookup_samples += histogram(stats.BOUNDS_SECONDS, buckets, seconds, (("status", status),))
    prediction_labels = ("model", "version", "arm", "decision", "features")
    return exposition(
        [
            (
                "bnpl_requests_total",
                "counter",
                "Requests answered.",
                counted(("path", "status"), {tuple(key): count for key, count in measures.requests.items()}),
            ),
            (
                "bnpl_request_seconds",
                "histogram",
                "From the whole body to the answer.",
                histogram(BOUNDS_SECONDS, measures.buckets, measures.seconds),
            ),
            ("bnpl_requests_in_flight", "gauge", "Requests being answered.", [((), service.in_flight)]),
            (
                "bnpl_predictions_total",
                "counter",
                "Predictions; features is why the behavioural model did not score, or their status.",
                counted(prediction_labels, {tuple(key): count for key, count in measures.predictions.items()}),
            ),
            (
                "bnpl_deprecated_reads_total",
                "counter",
                "Predictions from a feature set that is deprecated.",
                counted(("feature_set",), {(name,): count for name, count in measures.deprecated.items()}),
            ),
            ("bnpl_reasons_late_total", "counter", "Answers without reasons due.", [((), measures.late_reasons)]),
            ("bnpl_requests_timed_out_total", "counter", "Requests never sent whole.", [((), measures.timed_out)]),
            ("bnpl_lookup_seconds", "histogram", "Lookups in the online store.", lookup_samples),
            (
                "bnpl_store_confirmed_age_seconds",
                "gauge",
                "Since the store confirmed the active version.",
                [((), min(lookups.follower.age_seconds, time.monotonic()))],
            ),
            (
                "bnpl_prediction_log_total",
                "counter",
                "Records of the prediction log.",
                [((("outcome", "written"),), log.written), ((("outcome", "dropped"),), log.dropped)],
            ),
            ("bnpl_prediction_log_queued", "gauge", "Records not written yet.", [((), log.queued)]),
            (
                "bnpl_shadow_total",
                "counter",
                "Purchases for shadow arms.",
                counted(("outcome",), {(key,): count for key, count in service.shadows.counts.items()}),
            ),
            (
                "bnpl_changes_total",
                "counter",
                "What was picked up without a restart.",
                [((("what", one.name),), one.changes) for one in followed],
            ),
            (
                "bnpl_change_failures_total",
                "counter",
                "Looks that failed: the value at hand stays.",
                [((("what", one.name),), one.failures) for one in followed],
            ),
            (
                "bnpl_experiment_revision",
                "gauge",
                "Of the experiments' definitions.",
                [((), changing.assignments.value.definitions.revision)],
            ),
            (
                "bnpl_model_version",
                "gauge",
                "Champions.",
                [((("model", one.name),), one.version) for one in changing.models.value.champions.values()],
            ),
        ]
    )
