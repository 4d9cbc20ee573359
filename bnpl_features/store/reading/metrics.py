"""How lookups go, as metrics: read when somebody asks, so that a lookup pays nothing for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bnpl_features.store.reading.lookups import Lookups
from bnpl_features.store.reading.stats import BOUNDS_SECONDS
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label, distributed, valued


def lookup_families(lookups: Lookups) -> Iterator[Family]:
    stats, follower = lookups.stats, lookups.follower
    histograms = stats.histograms()
    yield by_label(catalogue.LOOKUP_ANSWERS, {(status,): sum(buckets) for status, (buckets, _) in histograms.items()})
    yield distributed(
        catalogue.LOOKUP_SECONDS, BOUNDS_SECONDS, {(status,): found for status, found in histograms.items()}
    )
    yield valued(catalogue.LOOKUP_CORRUPT_RECORDS, stats.corrupt)
    yield valued(catalogue.POINTER_AGE_SECONDS, follower.age_seconds)
    breakers = {str(server): breaker for server, breaker in list(lookups.asker.breakers.items())}
    yield by_label(catalogue.CIRCUIT_OPEN, {(server,): float(one.is_open) for server, one in breakers.items()})
    yield by_label(
        catalogue.FEATURE_SET_DEPRECATED,
        {(one.manifest.layout.feature_set,): float(bool(one.deprecation)) for one in follower.all_served},
    )
    if follower.served is not None:
        manifest = follower.served.manifest
        end = datetime.combine(manifest.partition_date + timedelta(days=1), datetime.min.time(), UTC)
        yield valued(catalogue.SERVED_VERSION, manifest.version)
        yield valued(catalogue.SERVED_AS_OF, end.timestamp())
