"""A publication that has ended, as metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bnpl_features.store.keyspace import FIELD_BYTES
from bnpl_features.store.publisher import Publication
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label


def publication_families(publication: Publication) -> Iterator[Family]:
    manifest = publication.manifest
    layout = manifest.layout
    name = layout.feature_set
    stored = manifest.customers - manifest.erased
    steps, saturated = publication.seconds, manifest.saturated
    yield by_label(catalogue.PUBLICATION_END, {(name,): time.time()})
    yield by_label(catalogue.PUBLICATION_SECONDS, {(name,): publication.total_seconds})
    yield by_label(catalogue.PUBLICATION_STEP_SECONDS, {(name, step): took for step, took in steps.items()})
    yield by_label(catalogue.PUBLICATION_CUSTOMERS, {(name,): manifest.customers})
    yield by_label(catalogue.PUBLICATION_ERASED, {(name,): manifest.erased})
    yield by_label(catalogue.PUBLICATION_BYTES, {(name,): stored * (FIELD_BYTES + layout.width_bytes)})
    yield by_label(catalogue.PUBLICATION_SATURATED, {(name, one): saturated.get(one, 0) for one in layout.names})
