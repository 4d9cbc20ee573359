"""The code location on real parts: simulated purchases, a warehouse folder, a namespace of Valkey, a Dagster instance.

A deployment with a few days of history costs seconds to make, so one is made a run of the tests, and every test gets a
copy.
"""

from __future__ import annotations

import pickle
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest
import redis
import sqlalchemy
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

from assets import failures
from assets.feature_vectors import VECTORS_TABLE
from automation.jobs import BACKFILL_JOB, CHECKED_JOB, DAILY_JOB
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import group_subject
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import CUSTOMER_COLUMN, Table, group_table
from bnpl_features.features.catalog import GROUPS
from bnpl_features.simulator import Fault, Population, inject, simulate
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.erasure import erase
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Manifest
from bnpl_features.store.versions import active_version, manifest_of
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from definitions import defs
from tests.once import made_once

DAY = date(2026, 3, 10)
"""The day most tests are about; purchases go on for two days after it."""

ONE_DAY = timedelta(days=1)
YESTERDAY, TOMORROW = DAY - ONE_DAY, DAY + ONE_DAY
REFERENCE_DAYS = 2
POPULATION = Population(
    customers=600, first_day=DAY - timedelta(days=50), last_day=DAY + 2 * ONE_DAY, seed=3, purchases_per_year=80.0
)
SECRET = "a secret of thirty-two bytes ...."[:32]
PROJECT = Path(__file__).resolve().parents[1]
_TEMPLATE, _KEYS = "template", "keys"


@dataclass(frozen=True)
class CodeLocation:
    """One deployment: its folder, its namespace, and the settings that its runs see."""

    folder: Path
    url: str
    namespace: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.folder / "warehouse")

    @property
    def instance(self) -> dg.DagsterInstance:
        return instance_of(self.folder / "dagster")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that configure the deployment."""
        return {
            "BNPL_WAREHOUSE_FOLDER": str(self.folder / "warehouse"),
            "REDIS_URL": self.url,
            "BNPL_NAMESPACE": self.namespace,
            "BNPL_CUSTOMER_KEY": SECRET,
            **self.settings,
        }

    @property
    def run_config(self) -> dict[str, Any]:
        return {
            "resources": {"settings": {"config": {"overrides": self.variables}}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        }

    def having(self, **settings: str) -> CodeLocation:
        """The same deployment with other settings."""
        return replace(self, settings={**self.settings, **settings})

    def run(
        self, job: dg.JobDefinition, day: date | tuple[date, date] = DAY, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """One run of a job for a day, or for a range of days."""
        partition = None if isinstance(day, tuple) else day.isoformat()
        ranged = range_tags(*day) if isinstance(day, tuple) else {}
        return job.execute_in_process(
            instance=self.instance,
            partition_key=partition,
            tags={**ranged, **(tags or {})},
            run_config=self.run_config,
            raise_on_error=False,
        )

    def daily(self, day: date = DAY) -> dg.ExecuteInProcessResult:
        return self.run(job_of(DAILY_JOB), day)

    def checked(self, day: date = DAY) -> dg.ExecuteInProcessResult:
        return self.run(job_of(CHECKED_JOB), day)

    def backfill(self, first: date, last: date) -> dg.ExecuteInProcessResult:
        return self.run(job_of(BACKFILL_JOB), (first, last))

    def materialize(
        self, *assets: str, checks: tuple[dg.AssetCheckKey, ...] = (), day: date | tuple[date, date] = DAY
    ) -> dg.ExecuteInProcessResult:
        """As an operator who selects assets, with or without checks, in Dagster's UI."""
        return self.run(part_of(assets, checks), day)

    def publish_alone(self, day: date = DAY) -> dg.ExecuteInProcessResult:
        return self.materialize("published_features", day=day)

    def run_check(
        self, asset: str, name: str, day: date = DAY, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        return self.run(part_of((), (check_key(asset, name),)), day, tags)

    def evaluate(self, asset: str, name: str, day: date = DAY) -> dg.AssetCheckEvaluation:
        """What one check says of a partition that is there already."""
        [evaluation] = self.run_check(asset, name, day).get_asset_check_evaluations()
        return evaluation

    def receive(self, *faults: Fault) -> None:
        """The lender delivers all purchases anew, with faults in them, in place of what was there."""
        self.receive_table(inject(purchases(), faults))

    def receive_table(self, table: pa.Table, relation: str = "transactions") -> None:
        """As one file, just as it is: `upsert_transactions` would mend duplicates, and writes a file a day."""
        file = self.folder / "warehouse" / relation / "all" / "data.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not with PyArrow: DuckDB 2.0 reads its statistics, which leave NaN out, as a proof that there is none.
        duckdb.from_arrow(table).write_parquet(str(file))

    def doctor(self, table: Table, select: str, day: date = DAY) -> None:
        """Rewrite a partition, as `SELECT <select> WHERE partition_date = ...`, and the group's profile of it."""
        sql = f"SELECT {select} WHERE partition_date = @partition_date"
        self.warehouse.replace_partition(table, day, Query(sql, {"partition_date": day}), {})
        for group in GROUPS:
            if group_table(group) == table:
                subject = group_subject(group)
                self.warehouse.replace_partition(profiles_table(subject), day, profile_query(subject, day), {})

    def served(self) -> Manifest | None:
        """The manifest of the active version."""
        client, keyspace = connect(self.url), Keyspace(self.namespace)
        version = active_version(client, keyspace)
        return None if version is None else manifest_of(client, keyspace, version)

    def customers(self, day: date = DAY) -> list[str]:
        """The customers of a day's vectors, in the order in which they are published and sampled."""
        batches = self.warehouse.read_partition(VECTORS_TABLE, day, (CUSTOMER_COLUMN,), {})
        return [customer_id for batch in batches for customer_id in batch.column(0).to_pylist()]

    def erase(self, customer_id: str) -> None:
        key = CustomerKey(SECRET.encode())
        erase(connect(self.url), Keyspace(self.namespace), (key,), customer_id, actor="tester", reason="request")

    def copy_to(self, folder: Path) -> CodeLocation:
        """Another deployment in the same state."""
        for part in ("warehouse", "dagster"):
            shutil.copytree(self.folder / part, folder / part)
        copied = replace(self, folder=folder, namespace=f"test-{secrets.token_hex(4)}")
        client = connect(self.url)
        old, new = self.namespace.encode(), copied.namespace.encode()
        _restore(client, {key.replace(old, new, 1): value for key, value in _keys(client, self.namespace).items()})
        return copied


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_store(tmp_path_factory.getbasetemp() / "valkey-of-the-code-location") as url:
        yield url


@pytest.fixture(scope="session")
def template(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> CodeLocation:
    """DAY-1 published after two days of history, DAY computed and checked but not published. To copy and to read."""

    def make(folder: Path) -> None:
        made = CodeLocation(folder, valkey, _TEMPLATE)
        (folder / "warehouse").mkdir()
        made.receive()
        results = [
            made.backfill(YESTERDAY - REFERENCE_DAYS * ONE_DAY, YESTERDAY - ONE_DAY),
            made.daily(YESTERDAY),
            made.checked(DAY),
        ]
        assert all(result.success for result in results), [why(result) for result in results]
        (folder / _KEYS).write_bytes(pickle.dumps(_keys(connect(valkey), _TEMPLATE)))

    made = CodeLocation(made_once(tmp_path_factory, "code-location", make), valkey, _TEMPLATE)
    if made.served() is None:  # another worker made it, in a store of its own
        _restore(connect(valkey), pickle.loads((made.folder / _KEYS).read_bytes()))
    return made


@pytest.fixture
def location(template: CodeLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CodeLocation:
    """A deployment of the test's own, in the template's state, that does not wait long before it tries again."""
    monkeypatch.setattr(failures, "RETRY_AFTER_SECONDS", 0.01)
    return template.copy_to(tmp_path)


def why(result: dg.ExecuteInProcessResult) -> str:
    """What an operator reads of a failed run: the descriptions of failed steps and checks."""
    texts = [
        f"{e.asset_key.to_user_string()}:{e.check_name} {e.description}"
        for e in result.get_asset_check_evaluations()
        if not e.passed
    ]
    for event in result.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data:
            texts.append(data.user_failure_data.description or "")
        error = data.error
        while error:
            texts.append(error.message)
            error = error.cause
    return "\n".join(texts)


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        f"{e.asset_key.to_user_string()}:{e.check_name}" for e in result.get_asset_check_evaluations() if not e.passed
    }


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


def check_key(asset: str, name: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey(asset), name)


def range_tags(first: date, last: date) -> dict[str, str]:
    return {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
    }


@cache
def purchases() -> pa.Table:
    return pa.Table.from_batches(simulate(POPULATION))


@cache
def instance_of(folder: Path) -> dg.DagsterInstance:
    """An instance with the settings that the project ships, its storage in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        shutil.copy(PROJECT / "dagster.yaml", folder)
    return dg.DagsterInstance.from_config(str(folder))


@cache
def job_of(name: str) -> dg.JobDefinition:
    return defs.resolve_job_def(name)


@cache
def part_of(assets: tuple[str, ...], checks: tuple[dg.AssetCheckKey, ...]) -> dg.JobDefinition:
    keys = {dg.AssetKey(asset) for asset in assets}
    return job_of(DAILY_JOB).get_subset(asset_selection=keys, asset_check_selection=set(checks))


def _keys(client: redis.Redis, namespace: str) -> dict[bytes, bytes]:
    """Every key of a namespace, whose name stands in braces or before a colon, once, and what it holds."""
    return {key: client.dump(key) for key in client.scan_iter(f"*{namespace}*", count=1000)}


def _restore(client: redis.Redis, keys: Mapping[bytes, bytes]) -> None:
    for key, held in keys.items():
        client.restore(key, 0, held)


def _one_a_file(make: Callable[..., sqlalchemy.Engine]) -> Callable[..., sqlalchemy.Engine]:
    """Dagster makes an engine whenever it stores or reads an event, for which SQLAlchemy compiles all SQL anew: a third
    of what a run takes here."""
    engines: dict[str, sqlalchemy.Engine] = {}

    def engine(url: str, **options: Any) -> sqlalchemy.Engine:
        if url not in engines:
            engines[url] = make(url, **options)
        return engines[url]

    return engine


for _storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
    _storage.create_engine = _one_a_file(_storage.create_engine)
