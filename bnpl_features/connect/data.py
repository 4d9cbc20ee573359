"""Settings -> warehouse and online store: an engine, a publication target, a reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bnpl_features.connect.extras import extra
from bnpl_features.settings import (
    StoreSettings,
    WarehouseSettings,
)
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookups import BUDGET_SECONDS
from bnpl_features.store.retirement import Retention
from bnpl_features.store.target import Target
from bnpl_features.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    pass


def open_warehouse(settings: WarehouseSettings) -> Warehouse:
    """The configured engine; the engines are imported only here, where one of them is needed."""
    if settings.engine == "bigquery":
        with extra("bigquery"):
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
    with extra("warehouse"):
        from bnpl_features.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(settings.folder, threads=settings.threads, memory_limit=settings.memory_limit)


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
def open_reader(
    settings: StoreSettings, budget_seconds: float = BUDGET_SECONDS, *, announce: bool = False
) -> Iterator[CustomerFeatureStore]:
    """The client of the scoring service. `announce` makes it count as a reader of the sets that it reads: not for who
    only looks at what is served. `budget_seconds` bounds each lookup.
    """
    with (
        store_url(settings) as url,
        CustomerFeatureStore(
            url,
            namespace=settings.namespace,
            customer_key=settings.customer_key,
            previous_customer_keys=settings.previous_customer_keys.split(),
            budget_seconds=budget_seconds,
            announce=announce,
        ) as reader,
    ):
        yield reader
