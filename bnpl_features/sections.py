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


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; see docs/settings.md."""

    warehouse: WarehouseSettings = WarehouseSettings()
    store: StoreSettings = StoreSettings()
    checks: CheckSettings = CheckSettings()
    model: ModelSettings = ModelSettings()
    scoring: ScoringSettings = ScoringSettings()
    source: Source = field(default_factory=Source)
