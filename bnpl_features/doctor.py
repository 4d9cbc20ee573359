"""What is wrong with this installation, and how to mend it: each finding names the thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import redis

from bnpl_features.connect.data import open_target, open_warehouse
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.lock import compare, declared, recorded
from bnpl_features.errors import BnplFeaturesError, DeclarationsChanged
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.settings import Settings, load_settings
from bnpl_features.store.connection import StoreClient, named_errors, primaries_of, text, url_of
from bnpl_features.store.publishing.preflight import check_settings
from bnpl_features.store.readers import readers_of
from bnpl_features.store.reading.lookup import STALE_AFTER
from bnpl_features.store.target import Target
from bnpl_features.store.versions import State, active_version, list_versions, manifest_of
from bnpl_features.transport import unencrypted
from bnpl_features.warehouse.transactions import check_columns
from bnpl_features.warehouse.volume import daily_volumes

_DAYS_LOOKED_AT = 7
_SMALLEST_SECRET_BYTES = 16
_ALARMING_MEMORY_SHARE = 0.8
_COVERAGE = "cluster-require-full-coverage"


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """`exit_code` is what a script should end with where the level is fail."""

    level: Level
    subject: str
    message: str
    exit_code: int = 0


def examine(overrides: dict[str, str] | None = None) -> Iterator[Finding]:
    """Settings, declarations, warehouse, source, store and what is served; the project's errors become findings."""
    try:
        settings = load_settings(overrides=overrides)
    except BnplFeaturesError as error:
        yield _failed("settings", error)
        return
    yield Finding(Level.OK, "settings", f"warehouse {settings.warehouse.engine}, namespace {settings.store.namespace}")
    yield _customer_key(settings)
    yield _encryption(settings)
    yield from _guarded("declarations", _declarations, settings)
    yield from _guarded("warehouse", _warehouse, settings)
    yield from _guarded("store", _store, settings)


def _customer_key(settings: Settings) -> Finding:
    length = len(settings.store.customer_key)
    if length >= _SMALLEST_SECRET_BYTES:
        return Finding(Level.OK, "customer key", f"{length} bytes")
    return Finding(
        Level.WARN,
        "customer key",
        f"{'none is set' if not length else f'only {length} bytes'}: fine for development; in production set "
        "BNPL_CUSTOMER_KEY to 32 random bytes, the same for publisher and readers",
    )


def _encryption(settings: Settings) -> Finding:
    names = ", ".join(unencrypted(settings))
    if not names:
        return Finding(Level.OK, "encryption", "what is configured to leave this machine is encrypted")
    return Finding(
        Level.WARN,
        "encryption",
        f"what leaves this machine is not encrypted, unless something else does it, by: {names}; see docs/settings.md",
    )


def _declarations(settings: Settings) -> Iterator[Finding]:
    """Whether features still mean what the lock file of this release records."""
    found = compare(recorded(), declared(), datetime.now(UTC).date())
    if found.refused:
        yield Finding(Level.FAIL, "declarations", found.text, DeclarationsChanged.exit_code)
    elif found.changes:
        yield Finding(Level.WARN, "declarations", found.text)
    else:
        yield Finding(Level.OK, "declarations", "features and sets mean what features.lock.toml records")


def _warehouse(settings: Settings) -> Iterator[Finding]:
    engine = open_warehouse(settings.warehouse)
    columns = engine.columns(settings.source.relation)
    yield Finding(Level.OK, "warehouse", engine.name)
    check_columns(settings.source, columns, settings.source.relation)
    yield Finding(Level.OK, "source", f"{settings.source.relation} fits the contract")
    today = datetime.now(UTC).date()
    volumes = daily_volumes(engine, settings.source, today, _DAYS_LOOKED_AT, {})
    newest = max((day for day, volume in volumes.items() if volume.purchases), default=None)
    if newest is None:
        yield Finding(Level.WARN, "source", f"no purchases in the last {_DAYS_LOOKED_AT} days; load newer ones")
    else:
        yield Finding(Level.OK, "source", f"newest purchases of {newest}")


def _store(settings: Settings) -> Iterator[Finding]:
    with open_target(settings.store) as target, named_errors(url_of(target.client)):
        server = target.client.info("server")
        name = server.get("server_name", "redis")
        version = server.get("valkey_version") or server["redis_version"]
        yield Finding(Level.OK, "store", f"{name} {version} at {url_of(target.client)}")
        check_settings(target.client, layout_of(BEHAVIOURAL))
        yield Finding(Level.OK, "store settings", "buckets stay compact, the active version is not evicted")
        yield from map(_memory, primaries_of(target.client))
        yield from _coverage(target.client)
        yield _active(target)
        yield from _other_sets(target)


def _memory(server: redis.Redis) -> Finding:
    memory = server.info("memory")
    used, limit = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
    if not limit:
        return Finding(
            Level.WARN,
            "store memory",
            f"{used / 2**20:,.0f} MiB used at {url_of(server)}, no maxmemory: set one in production",
        )
    level = Level.WARN if used > _ALARMING_MEMORY_SHARE * limit else Level.OK
    return Finding(level, "store memory", f"{used / 2**20:,.0f} of {limit / 2**20:,.0f} MiB used at {url_of(server)}")


def _coverage(client: StoreClient) -> Iterator[Finding]:
    """Of a cluster that tells its settings: whether it goes on answering while one of its primaries is replaced."""
    told: dict[str, str] = {}
    with suppress(redis.ResponseError):
        for server in primaries_of(client) if isinstance(client, redis.RedisCluster) else ():
            told |= {url_of(server): text(value) for value in server.config_get(_COVERAGE).values()}
    strict = [url for url, value in told.items() if value == "yes"]
    if strict:
        yield Finding(
            Level.WARN,
            "store failover",
            f"{_COVERAGE} is yes at {', '.join(strict)}: while a dead primary is replaced no customer has features; "
            f"CONFIG SET {_COVERAGE} no, at replicas too",
        )
    elif told:
        yield Finding(Level.OK, "store failover", "a dead primary's replica is read until it takes over")


def _active(target: Target) -> Finding:
    number = active_version(target.client, target.keyspace)
    if number is None:
        return Finding(Level.WARN, "active version", "none yet; publish with `bnpl-features run`")
    manifest = manifest_of(target.client, target.keyspace, number)
    if manifest.key_check != target.key.check:
        return Finding(
            Level.FAIL,
            "active version",
            f"version {number} was published with another customer key; set BNPL_CUSTOMER_KEY to the publisher's",
            exit_code=2,
        )
    end = datetime.combine(manifest.partition_date + timedelta(days=1), datetime.min.time(), UTC)
    if datetime.now(UTC) - end > STALE_AFTER:
        return Finding(
            Level.WARN,
            "active version",
            f"version {number} serves {manifest.partition_date}, which is stale; see why later days were not published",
        )
    return Finding(Level.OK, "active version", f"{number}, partition {manifest.partition_date}")


def _other_sets(target: Target) -> Iterator[Finding]:
    """Sets beside the one that this release reads, and who still reads one that is deprecated."""
    for version in list_versions(target.client, target.keyspace):
        if version.state is not State.ACTIVE or version.manifest is None:
            continue
        name, partition = version.feature_set, version.manifest.partition_date
        if name != target.keyspace.feature_set:
            yield Finding(Level.OK, f"feature set {name}", f"version {version.number}, partition {partition}")
        readers = readers_of(target.client, target.keyspace, name) if version.manifest.deprecated_on else []
        if readers:
            yield Finding(
                Level.WARN,
                f"feature set {name}",
                f"deprecated on {version.manifest.deprecated_on}, but {len(readers)} readers read it within a day; "
                "`bnpl-features sets readers` lists them",
            )


def _guarded(subject: str, steps: object, settings: Settings) -> Iterator[Finding]:
    try:
        yield from steps(settings)  # type: ignore[operator]
    except BnplFeaturesError as error:
        yield _failed(subject, error)


def _failed(subject: str, error: BnplFeaturesError) -> Finding:
    return Finding(Level.FAIL, subject, str(error), error.exit_code)
