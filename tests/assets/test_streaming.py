"""The stream's lag and the daily comparison, as Dagster runs them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.streaming import velocity_comparison, velocity_stream
from automation.jobs import WATCH_JOB
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.target import Target
from bnpl_features.streaming.event import encode
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource
from bnpl_features.streaming.worker import Worker
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from definitions import defs
from resources.settings import SettingsResource
from resources.store import StoreResource
from resources.warehouse import WarehouseResource
from tests.bnpl_features.streaming.day import arrow, day_of_events

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A warehouse and a stream with yesterday's last two hours, none of it applied yet."""
    late = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=2)
    events = [event for event in day_of_events(100, seed=1, days=(YESTERDAY,)) if event["transaction_timestamp"] > late]
    (tmp_path / "warehouse").mkdir()
    DuckDBWarehouse(tmp_path / "warehouse").upsert_transactions(iter([arrow(events)]), {})
    with embedded_store(tmp_path / "store") as url:
        monkeypatch.setenv("BNPL_WAREHOUSE_FOLDER", str(tmp_path / "warehouse"))
        monkeypatch.setenv("REDIS_URL", url)
        target = Target(connect(url), Keyspace(), CustomerKey())
        producer = RedisProducer(target.client, target.keyspace.purchases, "velocity")
        producer.append([encode(event) for event in events])
        yield target


def work(target: Target) -> None:
    worker = Worker(RedisSource(target.client, target.keyspace.purchases, "velocity"), target)
    while worker.turn():
        pass


def resources() -> dict[str, Any]:
    settings = SettingsResource()
    return {
        "settings": settings,
        "store": StoreResource(settings=settings),
        "warehouse": WarehouseResource(settings=settings),
    }


def observed() -> dict[str, Any]:
    with dg.DagsterInstance.ephemeral() as instance:
        assert defs.resolve_job_def(WATCH_JOB).execute_in_process(instance=instance).success
        [record] = instance.fetch_observations(velocity_stream.key, limit=1).records
    assert record.asset_observation
    return {name: entry.value for name, entry in record.asset_observation.metadata.items()}


def compared() -> dg.ExecuteInProcessResult:
    return dg.materialize([velocity_comparison], partition_key=str(YESTERDAY), resources=resources())


def test_the_stream_is_observed_before_and_after_a_worker_caught_up(target: Target) -> None:
    before = observed()
    work(target)
    after = observed()

    assert before["waiting"] > 10
    assert (before["healthy"], before["applied_until"]) == (False, "never")
    assert (after["waiting"], after["healthy"], after["dead_letters"]) == (0, True, 0)


def test_the_comparison_passes_once_all_is_applied(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    half_past_midnight = datetime.combine(YESTERDAY, datetime.min.time(), UTC) + timedelta(hours=24.5)
    monkeypatch.setattr("assets.streaming.now", lambda: half_past_midnight)
    [lacking] = compared().get_asset_check_evaluations()
    work(target)
    [equal] = compared().get_asset_check_evaluations()

    assert (lacking.passed, equal.passed) == (False, True)
    assert lacking.severity is dg.AssetCheckSeverity.WARN
