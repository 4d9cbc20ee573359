"""Every metric that the project exposes, declared once: docs/metrics.md, rules and dashboards are held to it."""

from __future__ import annotations

from bnpl_features.telemetry.metric import Kind, Metric, Teller

_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

_SET = ("feature_set",)

# Lookups
LOOKUP_ANSWERS = Metric(
    "bnpl_lookup_answers_total", _COUNTER, Teller.READER, "Customers answered, by status.", ("status",)
)
LOOKUP_SECONDS = Metric(
    "bnpl_lookup_seconds",
    _HISTOGRAM,
    Teller.READER,
    "What the call took that a customer was answered in, by status.",
    ("status",),
)
LOOKUP_CORRUPT_RECORDS = Metric("bnpl_lookup_corrupt_records_total", _COUNTER, Teller.READER, "Records that were none.")
POINTER_AGE_SECONDS = Metric(
    "bnpl_pointer_age_seconds", _GAUGE, Teller.READER, "Since the store confirmed the active version."
)
CIRCUIT_OPEN = Metric("bnpl_circuit_open", _GAUGE, Teller.READER, "1 where a server is not asked.", ("server",))
SERVED_VERSION = Metric("bnpl_served_version", _GAUGE, Teller.READER, "The version that lookups are answered from.")
SERVED_AS_OF = Metric(
    "bnpl_served_as_of_timestamp_seconds",
    _GAUGE,
    Teller.READER,
    "End of the day (UTC) up to which the served features count purchases; their age is time() less this.",
)
FEATURE_SET_DEPRECATED = Metric(
    "bnpl_feature_set_deprecated", _GAUGE, Teller.READER, "1 where a set that is followed is deprecated.", _SET
)

# Predictions
REQUESTS = Metric("bnpl_requests_total", _COUNTER, Teller.SERVICE, "Requests answered.", ("path", "status"))
REQUEST_SECONDS = Metric(
    "bnpl_request_seconds", _HISTOGRAM, Teller.SERVICE, "From the request's head to its answer.", ("path",)
)
REQUESTS_IN_FLIGHT = Metric("bnpl_requests_in_flight", _GAUGE, Teller.SERVICE, "Requests being answered.")
REQUESTS_TIMED_OUT = Metric("bnpl_requests_timed_out_total", _COUNTER, Teller.SERVICE, "Requests never sent whole.")
PREDICTIONS = Metric(
    "bnpl_predictions_total",
    _COUNTER,
    Teller.SERVICE,
    "Predictions; status is the features', fallback why another than the intended model scored, empty where none did.",
    ("model", "version", "experiment", "arm", "decision", "status", "fallback"),
)
DEPRECATED_READS = Metric(
    "bnpl_deprecated_reads_total", _COUNTER, Teller.SERVICE, "Predictions from a feature set that is deprecated.", _SET
)
REASONS_LATE = Metric("bnpl_reasons_late_total", _COUNTER, Teller.SERVICE, "Answers that went without due reasons.")
PREDICTION_LOG = Metric(
    "bnpl_prediction_log_total", _COUNTER, Teller.SERVICE, "Records of the prediction log.", ("outcome",)
)
PREDICTION_LOG_QUEUED = Metric("bnpl_prediction_log_queued", _GAUGE, Teller.SERVICE, "Records not written yet.")
SHADOW = Metric("bnpl_shadow_total", _COUNTER, Teller.SERVICE, "Purchases for shadow arms.", ("outcome",))
CHANGES = Metric("bnpl_changes_total", _COUNTER, Teller.SERVICE, "What was picked up without a restart.", ("what",))
CHANGE_FAILURES = Metric(
    "bnpl_change_failures_total", _COUNTER, Teller.SERVICE, "Looks that failed: the value at hand stays.", ("what",)
)
MODEL_VERSION = Metric("bnpl_model_version", _GAUGE, Teller.SERVICE, "Champions at hand.", ("model",))

# Experiments
EXPERIMENT_REVISION = Metric(
    "bnpl_experiment_revision", _GAUGE, Teller.SERVICE, "Of the experiments' definitions at hand."
)
EXPERIMENT_SHARE = Metric(
    "bnpl_experiment_share",
    _GAUGE,
    Teller.SERVICE,
    "Share of the customers by arm of the running experiment.",
    ("experiment", "arm"),
)
EXPERIMENT_CUSTOMERS = Metric(
    "bnpl_experiment_customers", _GAUGE, Teller.EXPERIMENT, "Customers seen, by arm.", ("experiment", "arm")
)
EXPERIMENT_APPROVAL_RATE = Metric(
    "bnpl_experiment_approval_rate",
    _GAUGE,
    Teller.EXPERIMENT,
    "Share of the purchases scored that were approved, by arm.",
    ("experiment", "arm"),
)
EXPERIMENT_DEFAULT_RATE = Metric(
    "bnpl_experiment_default_rate",
    _GAUGE,
    Teller.EXPERIMENT,
    "Share of approved purchases with an outcome that defaulted, by arm; missing before there are outcomes.",
    ("experiment", "arm"),
)
EXPERIMENT_HARM = Metric(
    "bnpl_experiment_guardrails_touched",
    _GAUGE,
    Teller.EXPERIMENT,
    "Guardrails that the last report found touched; any stops the experiment.",
    ("experiment",),
)
EXPERIMENT_REPORTED = Metric(
    "bnpl_experiment_report_timestamp_seconds", _GAUGE, Teller.EXPERIMENT, "When the last report was made."
)

# Publication
PUBLICATION_SECONDS = Metric(
    "bnpl_publication_seconds",
    _GAUGE,
    Teller.PUBLICATION,
    "What the last one took, from begin to switch.",
    _SET,
)
PUBLICATION_STEP_SECONDS = Metric(
    "bnpl_publication_step_seconds", _GAUGE, Teller.PUBLICATION, "The same by step.", (*_SET, "step")
)
PUBLICATION_CUSTOMERS = Metric(
    "bnpl_publication_customers", _GAUGE, Teller.PUBLICATION, "Customers of the last publication.", _SET
)
PUBLICATION_ERASED = Metric(
    "bnpl_publication_erased_customers", _GAUGE, Teller.PUBLICATION, "Customers left out, since they were erased.", _SET
)
PUBLICATION_BYTES = Metric(
    "bnpl_publication_bytes", _GAUGE, Teller.PUBLICATION, "Bytes of fields and records, without the server's own.", _SET
)
PUBLICATION_SATURATED = Metric(
    "bnpl_publication_saturated_values",
    _GAUGE,
    Teller.PUBLICATION,
    "Values beyond what a feature's storage holds, stored as the nearest that it does.",
    (*_SET, "feature"),
)
PUBLICATION_END = Metric(
    "bnpl_publication_end_timestamp_seconds", _GAUGE, Teller.PUBLICATION, "When the last publication ended.", _SET
)

# Runs
RUN_FAILED = Metric(
    "bnpl_run_failed", _GAUGE, Teller.RUN, "1 where the last run of the job failed or was refused.", ("run",)
)
RUN_END = Metric("bnpl_run_end_timestamp_seconds", _GAUGE, Teller.RUN, "When the last run of the job ended.", ("run",))

# Store and warehouse, as they are
ACTIVE_VERSION = Metric(
    "bnpl_active_version", _GAUGE, Teller.STORE, "The version of each feature set that is active.", _SET
)
ACTIVE_AS_OF = Metric(
    "bnpl_active_as_of_timestamp_seconds",
    _GAUGE,
    Teller.STORE,
    "End of the day (UTC) up to which the active version's features count purchases.",
    _SET,
)
ACTIVE_CUSTOMERS = Metric("bnpl_active_customers", _GAUGE, Teller.STORE, "Customers of the active version.", _SET)
VERSIONS = Metric("bnpl_versions", _GAUGE, Teller.STORE, "Versions in the store, by state.", ("state",))
STORE_MEMORY = Metric(
    "bnpl_store_memory_bytes", _GAUGE, Teller.STORE, "used_memory of each server that takes writes.", ("server",)
)
STORE_MEMORY_LIMIT = Metric(
    "bnpl_store_memory_limit_bytes", _GAUGE, Teller.STORE, "maxmemory; missing where there is no limit.", ("server",)
)
STORE_EVICTED_KEYS = Metric(
    "bnpl_store_evicted_keys_total", _COUNTER, Teller.STORE, "evicted_keys since the server started.", ("server",)
)
STORE_EXPIRED_KEYS = Metric(
    "bnpl_store_expired_keys_total", _COUNTER, Teller.STORE, "expired_keys since the server started.", ("server",)
)
DRIFT_LARGEST_INDEX = Metric(
    "bnpl_drift_largest_index",
    _GAUGE,
    Teller.STORE,
    "Largest population stability index against the days before, on the newest day computed.",
    ("group",),
)
DRIFT_FEATURES = Metric(
    "bnpl_drift_features",
    _GAUGE,
    Teller.STORE,
    "Features of the group that drifted on the newest day computed; severity is the verdict on the group.",
    ("group", "severity"),
)
COMPUTED_AS_OF = Metric(
    "bnpl_computed_as_of_timestamp_seconds",
    _GAUGE,
    Teller.STORE,
    "End of the newest day (UTC) for which the group has features in the warehouse.",
    ("group",),
)
COLLECTED = Metric(
    "bnpl_collected", _GAUGE, Teller.STORE, "1 where the part could be asked, 0 where it could not.", ("part",)
)
COLLECTED_AT = Metric("bnpl_collected_timestamp_seconds", _GAUGE, Teller.STORE, "When the parts were asked.")

# Stream
STREAM_EVENTS = Metric("bnpl_stream_events_total", _COUNTER, Teller.STREAM, "Events taken, by outcome.", ("outcome",))
STREAM_BATCHES = Metric("bnpl_stream_batches_total", _COUNTER, Teller.STREAM, "Batches acknowledged.")
STREAM_FAILURES = Metric(
    "bnpl_stream_failures_total", _COUNTER, Teller.STREAM, "Turns that failed and are tried again."
)
STREAM_LAG_SECONDS = Metric(
    "bnpl_stream_lag_seconds", _GAUGE, Teller.STREAM, "Age of the oldest event that no worker has applied."
)
STREAM_LAG_EVENTS = Metric(
    "bnpl_stream_lag_events", _GAUGE, Teller.STREAM, "Events not applied yet; missing where the broker cannot say."
)

CATALOGUE: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order in which they are declared."""
