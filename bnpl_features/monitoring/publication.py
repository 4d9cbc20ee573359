"""A publication that has ended, as metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bnpl_features.store.keyspace import FIELD_BYTES
from bnpl_features.store.publisher import Publication
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label, valued


def publication_families(publication: Publication) -> Iterator[Family]:
    manifest = publication.manifest
    layout = manifest.layout
    yield valued(catalogue.PUBLICATION_END, time.time())
    yield valued(catalogue.PUBLICATION_SECONDS, publication.total_seconds)
    yield by_label(catalogue.PUBLICATION_STEP_SECONDS, {(step,): took for step, took in publication.seconds.items()})
    yield valued(catalogue.PUBLICATION_CUSTOMERS, manifest.customers)
    yield valued(catalogue.PUBLICATION_ERASED, manifest.erased)
    stored = manifest.customers - manifest.erased
    yield valued(catalogue.PUBLICATION_BYTES, stored * (FIELD_BYTES + layout.width_bytes))
    yield by_label(catalogue.PUBLICATION_SATURATED, {(name,): manifest.saturated.get(name, 0) for name in layout.names})
