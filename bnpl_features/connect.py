"""Settings -> the parts that they describe: a warehouse, a publication target, a reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bnpl_features.errors import SettingsError
from bnpl_features.features.segment import SEGMENTS
from bnpl_features.settings import ModelSettings, ScoringSettings, StoreSettings, WarehouseSettings
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookups import BUDGET_SECONDS
from bnpl_features.store.retirement import Retention
from bnpl_features.store.target import Target
from bnpl_features.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from bnpl_features.risk_model.registry import Registry
    from bnpl_features.risk_model.training_query import TrainingSpec
    from bnpl_features.scoring.experiments.guardrails import Guardrails
    from bnpl_features.scoring.experiments.shelf import Shelf
    from bnpl_features.scoring.server import Serving


def open_warehouse(settings: WarehouseSettings) -> Warehouse:
    """The configured engine; the engines are imported only here, where one of them is needed."""
    if settings.engine == "bigquery":
        with _extra("bigquery"):
            from bnpl_features.warehouse import bigquery

        return bigquery.connect(
            settings.dataset,
            project=settings.project or None,
            location=settings.location or None,
            maximum_bytes_billed=settings.maximum_bytes_billed or None,
            timeout_seconds=settings.timeout_seconds,
            api_endpoint=settings.api_endpoint,
            storage_endpoint=settings.storage_endpoint,
        )
    with _extra("warehouse"):
        from bnpl_features.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(settings.folder, threads=settings.threads, memory_limit=settings.memory_limit)


def training_spec(settings: ModelSettings, as_of: date, days: int | None = None) -> TrainingSpec:
    """Which purchases train a model as of a day, as the settings say; `days` takes precedence."""
    from bnpl_features.risk_model.training_query import TrainingSpec

    return TrainingSpec(as_of, days or settings.training_days, settings.maturity_days, settings.max_rows, settings.seed)


def model_registry(settings: ModelSettings) -> Registry:
    """The configured registry of models; raises `RegistryUnavailable` where none answers."""
    with _extra("model"):
        from bnpl_features.risk_model.registry import open_registry

        return open_registry(settings.registry_url, settings.folder, settings.registry_prefix)


def serving_of(settings: ScoringSettings, store: StoreSettings, url: str) -> Serving:
    """How the prediction service is configured, with the store at `url`."""
    with _extra("scoring"):
        from bnpl_features.scoring.core import Rules, SegmentRules
        from bnpl_features.scoring.decision import Bands
        from bnpl_features.scoring.fallback import Policy
        from bnpl_features.scoring.http import Limits
        from bnpl_features.scoring.server import Serving

    segments = {
        one.name: SegmentRules(one.model or None, Bands(*one.bands) if one.bands else None)
        for one in SEGMENTS
        if one.model or one.bands
    }
    actions = {
        "unknown_customer": settings.on_unknown_customer,
        "stale": settings.on_stale,
        "unavailable": settings.on_unavailable,
    }
    return Serving(
        host=settings.host,
        port=settings.port,
        store_url=url,
        reader={
            "namespace": store.namespace,
            "customer_key": store.customer_key,
            "previous_customer_keys": store.previous_customer_keys.split(),
            "budget_seconds": settings.budget_seconds,
            "must_answer": False,
        },
        customer_key=store.customer_key,
        models_folder=settings.models_folder,
        predictions_folder=settings.predictions_folder,
        keys_file=Path(settings.keys_file) if settings.keys_file else None,
        rules=Rules(Bands(settings.review_from, settings.decline_from), Policy.of(actions), segments),
        limits=Limits(settings.most_body_bytes, settings.most_in_batch, settings.most_in_flight),
        look_seconds=settings.look_seconds,
        request_seconds=settings.request_seconds,
        drain_seconds=settings.drain_seconds,
        most_queued=settings.most_queued_predictions,
    )


def guardrails_of(settings: ScoringSettings) -> Guardrails:
    with _extra("scoring"):
        from bnpl_features.scoring.experiments.guardrails import Guardrails

    return Guardrails(settings.guardrail_defaults, -settings.guardrail_approvals)


@contextmanager
def open_shelf(settings: ScoringSettings, store: StoreSettings) -> Iterator[Shelf]:
    """Where experiments are defined: the configured file, or the online store."""
    with _extra("scoring"):
        from bnpl_features.scoring.experiments.shelf import FileShelf, lazy_store_shelf

    if settings.experiments_file:
        yield FileShelf(Path(settings.experiments_file))
        return
    with store_url(store) as url:
        yield lazy_store_shelf(url, Keyspace(store.namespace))


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Imports of what only the named extra installs."""
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            f"what is configured needs {error.name}, which is not installed; pip install 'bnpl-features[{name}]'"
        ) from error


@contextmanager
def store_url(settings: StoreSettings) -> Iterator[str]:
    """The configured server's address, or that of the embedded server, which runs as long as the block."""
    if settings.url:
        yield settings.url
        return
    from bnpl_features.store.embedded import embedded_store

    with embedded_store(settings.folder) as url:
        yield url


@contextmanager
def open_target(settings: StoreSettings) -> Iterator[Target]:
    """Where to publish to; raises `StoreUnavailable` where nothing usable answers."""
    with store_url(settings) as url:
        client = connect(url)
        try:
            key = CustomerKey(settings.customer_key)
            previous = tuple(CustomerKey(secret) for secret in settings.previous_customer_keys.split())
            yield Target(client, Keyspace(settings.namespace), key, previous)
        finally:
            client.close()


def retention_of(settings: StoreSettings) -> Retention:
    return Retention(settings.retained_versions, settings.retained_hours * 3_600)


@contextmanager
def open_reader(settings: StoreSettings, budget_seconds: float = BUDGET_SECONDS) -> Iterator[CustomerFeatureStore]:
    """The client of the scoring service, for who looks at what is served: it does not count as a reader of a set.

    `budget_seconds` bounds each lookup.
    """
    with (
        store_url(settings) as url,
        CustomerFeatureStore(
            url,
            namespace=settings.namespace,
            customer_key=settings.customer_key,
            previous_customer_keys=settings.previous_customer_keys.split(),
            budget_seconds=budget_seconds,
            announce=False,
        ) as reader,
    ):
        yield reader
