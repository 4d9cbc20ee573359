"""Where versions are published to and administered: a store, a namespace of it, the customer keys."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bnpl_features.store.connection import StoreClient
from bnpl_features.store.keyspace import CustomerKey, Keyspace


@dataclass(frozen=True)
class Target:
    """`previous_keys` are customer keys from before the present one: tombstones written under them still hold."""

    client: StoreClient
    keyspace: Keyspace
    key: CustomerKey
    previous_keys: tuple[CustomerKey, ...] = ()

    @property
    def keys(self) -> tuple[CustomerKey, ...]:
        return (self.key, *self.previous_keys)

    def of(self, feature_set: str) -> Target:
        """The same store, with the pointer of another set."""
        return replace(self, keyspace=self.keyspace.of(feature_set))
