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


@dataclass(frozen=True)
class StoreSettings:
    """Where features are served from; an empty `url` means the embedded server in `folder`."""

    url: str = ""
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
class Settings:
    """Everything that can be configured; see docs/settings.md."""

    warehouse: WarehouseSettings = WarehouseSettings()
    store: StoreSettings = StoreSettings()
    checks: CheckSettings = CheckSettings()
    model: ModelSettings = ModelSettings()
    scoring: ScoringSettings = ScoringSettings()
    source: Source = field(default_factory=Source)


VARIABLES: dict[str, tuple[str, str]] = {
    "BNPL_WAREHOUSE": ("warehouse", "engine"),
    "BNPL_WAREHOUSE_FOLDER": ("warehouse", "folder"),
    "BNPL_WAREHOUSE_THREADS": ("warehouse", "threads"),
    "BNPL_WAREHOUSE_MEMORY_LIMIT": ("warehouse", "memory_limit"),
    "BNPL_BIGQUERY_PROJECT": ("warehouse", "project"),
    "BNPL_BIGQUERY_DATASET": ("warehouse", "dataset"),
    "BNPL_BIGQUERY_LOCATION": ("warehouse", "location"),
    "BNPL_BIGQUERY_MAXIMUM_BYTES_BILLED": ("warehouse", "maximum_bytes_billed"),
    "BNPL_BIGQUERY_TIMEOUT_SECONDS": ("warehouse", "timeout_seconds"),
    "BNPL_BIGQUERY_API_ENDPOINT": ("warehouse", "api_endpoint"),
    "BNPL_BIGQUERY_STORAGE_ENDPOINT": ("warehouse", "storage_endpoint"),
    "REDIS_URL": ("store", "url"),
    "BNPL_STORE_FOLDER": ("store", "folder"),
    "BNPL_NAMESPACE": ("store", "namespace"),
    "BNPL_CUSTOMER_KEY": ("store", "customer_key"),
    "BNPL_PREVIOUS_CUSTOMER_KEYS": ("store", "previous_customer_keys"),
    "BNPL_RETAINED_VERSIONS": ("store", "retained_versions"),
    "BNPL_RETAINED_HOURS": ("store", "retained_hours"),
    "BNPL_VERSION_TTL_HOURS": ("store", "version_ttl_hours"),
    "BNPL_PUBLISH_FOLDER": ("store", "publish_folder"),
    "BNPL_PUBLISH_WORKERS": ("store", "publish_workers"),
    "BNPL_PRICES": ("store", "prices"),
    "BNPL_DRIFT_WARN": ("checks", "drift_warn"),
    "BNPL_DRIFT_ERROR": ("checks", "drift_error"),
    "BNPL_REFERENCE_DAYS": ("checks", "reference_days"),
    "BNPL_ROW_COUNT_TOLERANCE": ("checks", "row_count_tolerance"),
    "BNPL_NULL_INCREASE": ("checks", "null_increase"),
    "BNPL_SMALLEST_VOLUME": ("checks", "smallest_volume"),
    "BNPL_LARGEST_VOLUME": ("checks", "largest_volume"),
    "BNPL_MODEL_REGISTRY_URL": ("model", "registry_url"),
    "BNPL_MODEL_REGISTRY_PREFIX": ("model", "registry_prefix"),
    "BNPL_MODEL_FOLDER": ("model", "folder"),
    "BNPL_MODEL_FEATURE_SET": ("model", "feature_set"),
    "BNPL_MODEL_TRAINING_DAYS": ("model", "training_days"),
    "BNPL_MODEL_MATURITY_DAYS": ("model", "maturity_days"),
    "BNPL_MODEL_MAX_ROWS": ("model", "max_rows"),
    "BNPL_MODEL_SEED": ("model", "seed"),
    "BNPL_MODEL_THREADS": ("model", "threads"),
    "BNPL_MODEL_RESAMPLES": ("model", "resamples"),
    "BNPL_MODEL_HIGH_RISK_THRESHOLD": ("model", "high_risk_threshold"),
    "BNPL_SCORING_HOST": ("scoring", "host"),
    "BNPL_SCORING_PORT": ("scoring", "port"),
    "BNPL_SCORING_KEYS_FILE": ("scoring", "keys_file"),
    "BNPL_SCORING_REVIEW_FROM": ("scoring", "review_from"),
    "BNPL_SCORING_DECLINE_FROM": ("scoring", "decline_from"),
    "BNPL_SCORING_ON_UNKNOWN_CUSTOMER": ("scoring", "on_unknown_customer"),
    "BNPL_SCORING_ON_STALE": ("scoring", "on_stale"),
    "BNPL_SCORING_ON_UNAVAILABLE": ("scoring", "on_unavailable"),
    "BNPL_SCORING_BUDGET_SECONDS": ("scoring", "budget_seconds"),
    "BNPL_SCORING_MODELS_FOLDER": ("scoring", "models_folder"),
    "BNPL_SCORING_PREDICTIONS_FOLDER": ("scoring", "predictions_folder"),
    "BNPL_SCORING_EXPERIMENTS_FILE": ("scoring", "experiments_file"),
    "BNPL_SCORING_LOOK_SECONDS": ("scoring", "look_seconds"),
    "BNPL_SCORING_REGISTRY_SECONDS": ("scoring", "registry_seconds"),
    "BNPL_SCORING_REQUEST_SECONDS": ("scoring", "request_seconds"),
    "BNPL_SCORING_DRAIN_SECONDS": ("scoring", "drain_seconds"),
    "BNPL_SCORING_MOST_BODY_BYTES": ("scoring", "most_body_bytes"),
    "BNPL_SCORING_MOST_IN_BATCH": ("scoring", "most_in_batch"),
    "BNPL_SCORING_MOST_IN_FLIGHT": ("scoring", "most_in_flight"),
    "BNPL_SCORING_MOST_QUEUED_PREDICTIONS": ("scoring", "most_queued_predictions"),
    "BNPL_SCORING_GUARDRAIL_DEFAULTS": ("scoring", "guardrail_defaults"),
    "BNPL_SCORING_GUARDRAIL_APPROVALS": ("scoring", "guardrail_approvals"),
    "BNPL_TRANSACTIONS": ("transactions", "relation"),
}
"""Environment variable -> (section, key) of the settings file."""
