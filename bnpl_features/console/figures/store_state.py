"""What the store serves and what room it has: feature sets with their active versions, servers with their memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bnpl_features.console.figures.panel import Level
from bnpl_features.console.parts import Parts
from bnpl_features.store.connection import primaries_of, url_of
from bnpl_features.store.reading.lookup import STALE_AFTER
from bnpl_features.store.versions import State, Version, list_versions

MEMORY_WARN_SHARE = 0.8


@dataclass(frozen=True)
class ServedSet:
    """A feature set and its active version; `age_hours` since its partition ended."""

    feature_set: str
    version: int
    partition_date: date | None
    customers: int
    age_hours: float | None
    retained: int
    level: Level


@dataclass(frozen=True)
class ServerMemory:
    """Bytes of one server that takes writes; `limit_bytes` is None where it has none."""

    server: str
    used_bytes: int
    limit_bytes: int | None
    level: Level

    @property
    def used_share(self) -> float | None:
        return self.used_bytes / self.limit_bytes if self.limit_bytes else None


def served_sets(parts: Parts) -> tuple[ServedSet, ...]:
    """Raises `StoreUnavailable`."""
    with parts.target() as target:
        versions = list_versions(target.client, target.keyspace)
    retained = [one.feature_set for one in versions if one.state is State.RETAINED]
    return tuple(_served(one, retained.count(one.feature_set)) for one in versions if one.state is State.ACTIVE)


def server_memory(parts: Parts) -> tuple[ServerMemory, ...]:
    """Raises `StoreUnavailable`."""
    found = []
    with parts.target() as target:
        for server in primaries_of(target.client):
            memory = server.info("memory")
            used, limit = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
            level = Level.WARN if limit and used > MEMORY_WARN_SHARE * limit else Level.OK
            found.append(ServerMemory(url_of(server).removeprefix("redis://"), used, limit or None, level))
    return tuple(found)


def _served(version: Version, retained: int) -> ServedSet:
    manifest = version.manifest
    if manifest is None:
        return ServedSet(version.feature_set, version.number, None, 0, None, retained, Level.FAIL)
    ended = datetime.combine(manifest.partition_date + timedelta(days=1), datetime.min.time(), UTC)
    age = datetime.now(UTC) - ended
    level = Level.WARN if age > STALE_AFTER else Level.OK
    customers = manifest.customers - manifest.erased
    hours = age.total_seconds() / 3_600
    return ServedSet(version.feature_set, version.number, manifest.partition_date, customers, hours, retained, level)
