"""What the console holds: the settings, and the store, warehouse and registry that they describe, opened when needed.

Each may be down at any time: opening or asking it raises its own error, which the panel that asked shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from bnpl_features.connect.data import open_warehouse, store_url
from bnpl_features.connect.models import model_registry
from bnpl_features.console.access.looks import Looks
from bnpl_features.console.jobs import Jobs
from bnpl_features.console.remembering import Remembered
from bnpl_features.console.sampling import Sampler
from bnpl_features.errors import StoreUnavailable
from bnpl_features.settings import Settings
from bnpl_features.store.connection import StoreClient, connect, named_errors
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target
from bnpl_features.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from bnpl_features.risk_model.registry import Registry

STORE_SECONDS = 2.0
"""How long a page waits for the store, which answers in milliseconds where it is well."""

LOOKUP_SECONDS = 1.0

REMEMBERED_SECONDS = 1.0
"""How long a store that did not answer is not asked again, so that a page of many panels waits for it once."""


@dataclass
class Parts:
    settings: Settings
    store_url: str
    sampler: Sampler
    looks: Looks = field(default_factory=Looks)
    jobs: Jobs = field(default_factory=Jobs)
    remembered: Remembered = field(default_factory=Remembered)
    _client: StoreClient | None = None
    _reader: CustomerFeatureStore | None = None
    _down: tuple[float, str] | None = None
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def target(self) -> Iterator[Target]:
        """The store, for administration; raises `StoreUnavailable`, also inside the block."""
        store = self.settings.store
        if self._down is not None and time.monotonic() - self._down[0] < REMEMBERED_SECONDS:
            raise StoreUnavailable(self._down[1])
        try:
            with named_errors(self.store_url):
                with self._lock:
                    if self._client is None:
                        self._client = connect(self.store_url, timeout_seconds=STORE_SECONDS)
                previous = tuple(CustomerKey(secret) for secret in store.previous_customer_keys.split())
                yield Target(self._client, Keyspace(store.namespace), CustomerKey(store.customer_key), previous)
        except StoreUnavailable as error:
            self._down = (time.monotonic(), str(error))
            raise

    def reader(self) -> CustomerFeatureStore:
        """The client of the scoring service, patient and unannounced; it says itself where the store is down."""
        store = self.settings.store
        with self._lock:
            if self._reader is None:
                self._reader = CustomerFeatureStore(
                    self.store_url,
                    namespace=store.namespace,
                    customer_key=store.customer_key,
                    previous_customer_keys=store.previous_customer_keys.split(),
                    budget_seconds=LOOKUP_SECONDS,
                    announce=False,
                    velocity=True,
                )
            return self._reader

    def warehouse(self) -> Warehouse:
        """A connection of the page's own; raises `WarehouseUnavailable`."""
        return open_warehouse(self.settings.warehouse)

    def registry(self) -> Registry:
        """Raises `RegistryUnavailable`."""
        return model_registry(self.settings.model)

    @property
    def dagster_url(self) -> str:
        return self.settings.console.dagster_url or self.settings.alerts.dagster_url

    def close(self) -> None:
        self.sampler.stop()
        for part in (self._client, self._reader):
            if part is not None:
                part.close()


@contextmanager
def open_parts(settings: Settings, *, watch: bool = False) -> Iterator[Parts]:
    """The parts; the embedded store, where it is configured, runs as long as the block. With `watch` the prediction
    service is read all the time."""
    with store_url(settings.store) as url:
        parts = Parts(
            settings, url, Sampler(settings.console.service_url or f"http://127.0.0.1:{settings.scoring.port}")
        )
        if watch:
            parts.sampler.start()
        try:
            yield parts
        finally:
            parts.close()


def service_url(settings: Settings) -> str:
    """Where the prediction service is."""
    return settings.console.service_url or f"http://127.0.0.1:{settings.scoring.port}"
