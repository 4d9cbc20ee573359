"""The online store as metrics: what is active, and the memory of each server that takes writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from bnpl_features.store.connection import named_errors, primaries_of, url_of
from bnpl_features.store.target import Target
from bnpl_features.store.versions import State, list_versions
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label


def store_families(target: Target) -> Iterator[Family]:
    """Raises `StoreUnavailable` where a server does not answer."""
    with named_errors(url_of(target.client)):
        yield from _versions(target)
        yield from _servers(target)


def end_of(partition: date) -> float:
    """Seconds since the epoch at which a day is over (UTC)."""
    return datetime.combine(partition + timedelta(days=1), datetime.min.time(), UTC).timestamp()


def _versions(target: Target) -> Iterator[Family]:
    versions = list_versions(target.client, target.keyspace)
    counts = Counter(version.state for version in versions)
    yield by_label(catalogue.VERSIONS, {(state.value,): counts[state] for state in State})
    active = {(one.feature_set,): one.manifest for one in versions if one.state is State.ACTIVE and one.manifest}
    yield by_label(catalogue.ACTIVE_VERSION, {key: one.version for key, one in active.items()})
    yield by_label(catalogue.ACTIVE_AS_OF, {key: end_of(one.partition_date) for key, one in active.items()})
    yield by_label(catalogue.ACTIVE_CUSTOMERS, {key: one.customers - one.erased for key, one in active.items()})


def _servers(target: Target) -> Iterator[Family]:
    memory, stats = {}, {}
    for server in primaries_of(target.client):
        name = (url_of(server).removeprefix("redis://"),)
        memory[name] = server.info("memory")
        stats[name] = server.info("stats")
    limits = {name: int(found.get("maxmemory", 0)) for name, found in memory.items()}
    yield by_label(catalogue.STORE_MEMORY, {name: int(found["used_memory"]) for name, found in memory.items()})
    yield by_label(catalogue.STORE_MEMORY_LIMIT, {name: limit for name, limit in limits.items() if limit})
    yield by_label(catalogue.STORE_EVICTED_KEYS, {name: int(found["evicted_keys"]) for name, found in stats.items()})
    yield by_label(catalogue.STORE_EXPIRED_KEYS, {name: int(found["expired_keys"]) for name, found in stats.items()})
