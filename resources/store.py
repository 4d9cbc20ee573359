"""The online store as a Dagster resource."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from bnpl_features.connect.data import open_reader, open_target
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.target import Target
from resources.settings import SettingsResource

PATIENT_SECONDS = 5.0


class StoreResource(dg.ConfigurableResource[Target]):
    settings: dg.ResourceDependency[SettingsResource]

    @contextmanager
    def open(self) -> Iterator[Target]:
        """Where to publish to, for the length of a step."""
        with open_target(self.settings.load().store) as target:
            yield target

    @contextmanager
    def reader(self) -> Iterator[CustomerFeatureStore]:
        """The client that the scoring service uses, with time to spare: here values matter, not latency."""
        with open_reader(self.settings.load().store, budget_seconds=PATIENT_SECONDS) as reader:
            yield reader
