"""Feast's online store over this keyspace, read only: `get_online_features` reads the active version.

In `feature_store.yaml`, as `bnpl-features feast export` writes it:

    online_store:
      type: bnpl_features.interop.feast_store.CustomerFeatureOnlineStore
      budget_seconds: 0.05

Server, namespace and customer key are this project's settings ([store], or REDIS_URL and so on), so that no secret
stands in the file. Needs Feast, the extra `feast`.
"""

from __future__ import annotations

import atexit
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as FeastValue
from feast.repo_config import FeastConfigBaseModel

from bnpl_features.connect.data import open_reader
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.errors import InputError, PublicationRefused, StoreUnavailable
from bnpl_features.features.feature import Value
from bnpl_features.interop.feast_repository import SET_TAG
from bnpl_features.settings import load_settings
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookup import Answer, Status

Row = tuple[datetime | None, dict[str, FeastValue] | None]

_READ_ONLY = (
    "Feast reads this online store and does not write it: a version is published whole, checked and switched to at "
    "once; run `bnpl-features run`, or materialise published_features in Dagster"
)


class CustomerFeatureOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """The keys below `online_store`; `budget_seconds` is what a lookup may take."""

    type: Literal["bnpl_features.interop.feast_store.CustomerFeatureOnlineStore"] = (
        "bnpl_features.interop.feast_store.CustomerFeatureOnlineStore"
    )
    budget_seconds: float = 0.05


class CustomerFeatureOnlineStore(OnlineStore):  # type: ignore[misc]
    """Reads through `CustomerFeatureStore`; the connection is made at the first lookup, and kept."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._reader: CustomerFeatureStore | None = None

    def online_read(
        self, config: Any, table: Any, entity_keys: list[EntityKey], requested_features: list[str] | None = None
    ) -> list[Row]:
        """A row a customer, all of one version of the view's set; (None, None), NOT_FOUND to Feast, for an unknown one.

        Raises `StoreUnavailable` where the store did not answer in time, or serves no such feature; `InputError` for an
        entity key that is not one customer_id.
        """
        names = requested_features or [one.name for one in table.features]
        customers = [_customer_id(key) for key in entity_keys]
        reader, feature_set = self._opened(config), table.tags[SET_TAG]
        if reader.served_of(feature_set) is None:
            reader.follow(feature_set)
        return [_row(answer) for answer in reader.get_many(customers, tuple(names), feature_set=feature_set)]

    def online_write_batch(self, config: Any, table: Any, data: Any, progress: Any) -> None:
        """Raises `PublicationRefused`."""
        raise PublicationRefused(_READ_ONLY)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """`feast apply` has nothing to prepare here: what is served is what was published."""

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        """Raises `PublicationRefused`: lenders decide on credit with what is served."""
        raise PublicationRefused(f"{_READ_ONLY}; `bnpl-features retire` removes a version")

    def _opened(self, config: Any) -> CustomerFeatureStore:
        with self._lock:
            if self._reader is None:
                opened = ExitStack()
                atexit.register(opened.close)
                self._reader = opened.enter_context(
                    open_reader(load_settings().store, config.online_store.budget_seconds, announce=True)
                )
            return self._reader


def _customer_id(key: EntityKey) -> str:
    if list(key.join_keys) != [CUSTOMER_COLUMN] or not key.entity_values[0].HasField("string_val"):
        raise InputError(
            f"features are of customers: give one entity, {CUSTOMER_COLUMN}, as text, not {', '.join(key.join_keys)}"
        )
    return str(key.entity_values[0].string_val)


def _row(answer: Answer) -> Row:
    if answer.status is Status.UNAVAILABLE:
        raise StoreUnavailable(f"the online store did not answer: {answer.reason}")
    if answer.status is Status.UNKNOWN_CUSTOMER or answer.partition_date is None:
        return None, None
    known_from = datetime.combine(answer.partition_date + timedelta(days=1), time(), UTC)
    return known_from, dict(zip(answer.names, map(_proto, answer.values), strict=True))


def _proto(value: Value) -> FeastValue:
    """Null is a value without content."""
    if value is None:
        return FeastValue()
    if isinstance(value, str):
        return FeastValue(string_val=value)
    return FeastValue(int64_val=value) if isinstance(value, int) else FeastValue(double_val=value)
