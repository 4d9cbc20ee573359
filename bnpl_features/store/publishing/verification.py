"""Does the store serve what the warehouse holds? A sample is read back and compared value by value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import VerificationFailed
from bnpl_features.features.feature import Value
from bnpl_features.features.segment import SEGMENT
from bnpl_features.store.buckets import by_server
from bnpl_features.store.connection import StoreClient, borrowed_connection
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.reading.lookup import ServedVersion, Status

SAMPLED_CUSTOMERS = 200
_FLOAT_ROUNDING = 1e-6


@dataclass(frozen=True)
class Sample:
    """Some customers, spread evenly over the partition, with the values that the warehouse holds."""

    every: int
    customers: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, customers: int, size: int = SAMPLED_CUSTOMERS) -> Sample:
        return cls(max(1, customers // size))

    def take(self, batch: CustomerBatch) -> None:
        for row in range(0, len(batch.customer_ids), self.every):
            self.customers[batch.customer_ids[row]] = {name: float(v[row]) for name, v in batch.columns.items()}


def verify_sample(client: StoreClient, served: ServedVersion, sample: Mapping[str, Mapping[str, float]]) -> None:
    """Raise `VerificationFailed` for the first customer of the sample that is not served within the stated errors."""
    for problem in mismatches(client, served, sample):
        raise VerificationFailed(f"a customer reads back with {problem}; publish again")


def mismatches(client: StoreClient, served: ServedVersion, sample: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """What the store serves otherwise than the warehouse holds it; customers are not named."""
    requests = {customer_id: served.request(customer_id) for customer_id in sample}
    keys = [key for key, _ in requests.values()]
    customer_ids = list(sample)
    for server, positions in by_server(client, keys):
        with borrowed_connection(server) as connection:
            for position in positions:
                connection.send_packed_command([requests[customer_ids[position]][1]])
                answer = served.answer(connection.read_response(disable_decoding=True), 0.0)
                if answer.status is Status.FRESH:
                    values = sample[customer_ids[position]]
                    yield from differences(served.manifest.layout, values, answer.as_dict())
                else:
                    yield f"status {answer.status} {answer.reason}".strip()


def differences(layout: Layout, warehouse: Mapping[str, float], served: Mapping[str, Value]) -> Iterator[str]:
    """The features whose served value is further from the warehouse's than their storage allows.

    Where the warehouse has none, what is served is the default of the customer's segment.
    """
    defaults = next((dict(one.values) for one in layout.segments if one.segment == served.get(SEGMENT)), {})
    for item in layout.fields:
        expected, found = warehouse[item.name], served[item.name]
        if math.isnan(expected) and item.name in defaults:
            if found != defaults[item.name]:
                yield f"{item.name} {found} instead of {defaults[item.name]}"
            continue
        if isinstance(found, str):
            found = float(item.storage.names.index(found))
        if math.isnan(expected) or found is None:
            if not (math.isnan(expected) and found is None):
                yield f"{item.name} {found} instead of {expected}"
            continue
        bounded = min(max(expected, min(item.storage.low, 0.0)), item.storage.high)
        if abs(float(found) - bounded) > item.storage.largest_error(bounded) * (1 + _FLOAT_ROUNDING) + 1e-12:
            yield f"{item.name} {found} instead of {expected}"
