"""What can be configured: one dataclass a section of the settings, with its defaults (docs/settings.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bnpl_features.warehouse.transactions import Source


@dataclass(frozen=True)
class WarehouseSettings:
    """Where features are computed."""

    engine: str = "duckdb"
    folder: Path = Path(".bnpl/warehouse")
    threads: int = 0
    memory_limit: str = ""
    project: str = ""
    dataset: str = "bnpl_features"
    location: str = ""
    maximum_bytes_billed: int = 0
    timeout_seconds: float = 3_600.0
    api_endpoint: str = ""
    storage_endpoint: str = ""


IN_PROCESS = "in_process"
EXECUTORS = (IN_PROCESS, "multiprocess", "kubernetes", "celery", "celery_kubernetes")


@dataclass(frozen=True)
class PipelineSettings:
    """Where the steps of the jobs that publish run; `executor_config` is a JSON object for that executor."""

    executor: str = IN_PROCESS
    executor_config: str = ""


@dataclass(frozen=True)
class StoreSettings:
    """Where features are served from; an empty `url` means the embedded server in `folder`."""

    url: str = field(default="", repr=False)
    folder: Path = Path(".bnpl/store")
    namespace: str = "bnpl"
    customer_key: bytes = field(default=b"", repr=False)
    previous_customer_keys: bytes = field(default=b"", repr=False)
    retained_versions: int = 1
    retained_hours: float = 0.0
    version_ttl_hours: float = 0.0
    publish_folder: str = ""
    publish_workers: int = 1
    prices: str = ""


@dataclass(frozen=True)
class CheckSettings:
    """Thresholds of the checks; `drift_thresholds` maps a feature to its own (warn, error) pair."""

    drift_warn: float = 0.1
    drift_error: float = 0.25
    drift_thresholds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reference_days: int = 7
    row_count_tolerance: float = 0.3
    null_increase: float = 0.2
    smallest_volume: float = 0.2
    largest_volume: float = 5.0


@dataclass(frozen=True)
class DriftSettings:
    """Effect sizes of drift beside `CheckSettings`, as `drift.limits.Limits` explains them; an empty `calendar_file`
    means the calendar that is shipped."""

    retrain: float = 0.2
    coherent_features: int = 2
    jensen_shannon: float = 0.2
    wasserstein: float = 0.25
    null_shift: float = 0.05
    range_shift: float = 0.01
    unit_change: float = 5.0
    missing_share: float = 0.02
    collapse: float = 0.4
    classifier: float = 0.7
    fewest_rows: int = 100
    calendar_file: str = ""


@dataclass(frozen=True)
class ModelSettings:
    """How risk models are trained, judged and kept; an empty `registry_url` means the embedded one in `folder`."""

    registry_url: str = field(default="", repr=False)
    registry_prefix: str = "bnpl"
    folder: Path = Path(".bnpl/models")
    feature_set: str = "behavioural@1"
    training_days: int = 120
    maturity_days: int = 60
    max_rows: int = 1_000_000
    seed: int = 0
    threads: int = 0
    resamples: int = 200
    high_risk_threshold: float = 0.2

    @property
    def training_sets(self) -> Path:
        """Where training sets are, each in a folder named by its fingerprint."""
        return self.folder / "training-sets"


@dataclass(frozen=True)
class ScoringSettings:
    """How the prediction service answers; an empty `keys_file` lets this machine ask, and none else. An empty
    `experiments_file` keeps experiments in the online store."""

    host: str = "127.0.0.1"
    port: int = 8080
    keys_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    review_from: float = 0.10
    decline_from: float = 0.20
    on_unknown_customer: str = "transaction_only"
    on_stale: str = "transaction_only"
    on_unavailable: str = "transaction_only"
    budget_seconds: float = 0.005
    models_folder: Path = Path(".bnpl/served-models")
    predictions_folder: Path = Path(".bnpl/predictions")
    experiments_file: str = ""
    look_seconds: float = 1.0
    registry_seconds: float = 5.0
    request_seconds: float = 5.0
    drain_seconds: float = 2.0
    most_body_bytes: int = 1_048_576
    most_in_batch: int = 500
    most_in_flight: int = 512
    most_queued_predictions: int = 100_000
    guardrail_defaults: float = 0.01
    guardrail_approvals: float = 0.10


@dataclass(frozen=True)
class MonitoringSettings:
    """Where jobs leave their metrics and traces go; empty or `none` is nowhere."""

    textfile_folder: str = ""
    pushgateway_url: str = field(default="", repr=False)
    traces: str = "none"
    traces_endpoint: str = ""
    service_name: str = ""


@dataclass(frozen=True)
class RetrainingSettings:
    """When models are trained again without being asked to, and what becomes of the challenger then."""

    asking_days: int = 3
    of_days: int = 5
    calm_days: int = 1
    cool_down_days: float = 14.0
    again_after_days: int = 75
    mode: str = "shadow"
    share: float = 0.1
    auto_promote: bool = False
    performance_days: int = 28
    least_defaults: int = 100
    calibration_ratio: float = 1.25
    auc_loss: float = 0.03


@dataclass(frozen=True)
class AlertSettings:
    """Who is told of failures beside the log; an empty `webhook_url` or `mail_host` is nobody."""

    webhook_url: str = field(default="", repr=False)
    mail_host: str = ""
    mail_port: int = 587
    mail_security: str = "starttls"
    mail_from: str = ""
    mail_to: str = ""
    mail_username: str = ""
    mail_password: str = field(default="", repr=False)
    timeout_seconds: float = 10.0
    repeat_hours: float = 12.0
    dagster_url: str = ""


@dataclass(frozen=True)
class StreamingSettings:
    """Where purchase events come from. For `redis` an empty `url` is the online store, and an empty `topic` the stream
    in its namespace; for `kafka`, `url` has the brokers; for `pubsub`, `url` is `projects/P/subscriptions/S`."""

    source: str = "redis"
    url: str = field(default="", repr=False)
    topic: str = ""
    group: str = "velocity"
    batch: int = 1_000
    most_waiting: int = 100_000
    kept_hours: float = 31.0
    claim_seconds: float = 10.0
    metrics_port: int = 0
    metrics_certificate_file: str = ""
    metrics_key_file: str = ""
    most_mismatched: float = 0.001


@dataclass(frozen=True)
class ConsoleSettings:
    """Where the console answers and who may sign in (docs/console.md). An empty `session_key` ends every session when
    the process does; an empty `oidc_issuer` or `users_file` lets nobody in that way."""

    host: str = "127.0.0.1"
    port: int = 8090
    public_url: str = ""
    session_key: bytes = field(default=b"", repr=False)
    session_hours: float = 12.0
    users_file: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_scope: str = ""
    oidc_name_claim: str = "email"
    oidc_roles_claim: str = "groups"
    oidc_viewers: str = "viewer"
    oidc_operators: str = "operator"
    oidc_admins: str = "admin"
    dagster_url: str = ""
    service_url: str = ""


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; see docs/settings.md."""

    warehouse: WarehouseSettings = WarehouseSettings()
    pipeline: PipelineSettings = PipelineSettings()
    store: StoreSettings = StoreSettings()
    checks: CheckSettings = CheckSettings()
    drift: DriftSettings = DriftSettings()
    model: ModelSettings = ModelSettings()
    scoring: ScoringSettings = ScoringSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    alerts: AlertSettings = AlertSettings()
    streaming: StreamingSettings = StreamingSettings()
    console: ConsoleSettings = ConsoleSettings()
    source: Source = field(default_factory=Source)
