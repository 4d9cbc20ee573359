"""The code location as a whole: what Dagster loads, what each part declares, and what is assumed of Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from assets.feature_groups import group_asset
from assets.publication import published_key
from bnpl_features.features.catalog import GROUPS, SETS
from definitions import asset_checks, defs
from tests.code_location import DAY, PROJECT, CodeLocation, instance_of, location, template, valkey

__all__ = ["location", "template", "valkey"]

DAILY = dg.DailyPartitionsDefinition("2026-03-01")
KEY = DAY.isoformat()
SPECS = [spec for checks in asset_checks for spec in checks.check_specs]
GRAPH = defs.resolve_asset_graph()
PUBLICATIONS = [published_key(one).to_user_string() for one in SETS]
ASSETS = sorted(key.to_user_string() for key in GRAPH.get_all_asset_keys())


def test_workspace_loads_without_a_complaint(tmp_path: Path) -> None:
    done = subprocess.run(
        [*_dagster("dagster"), "definitions", "validate", "-w", "workspace.yaml"],
        cwd=PROJECT,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "varying BackfillPolicies" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ASSETS)
def test_asset_says_what_and_whose_it_is(name: str) -> None:
    node = GRAPH.get(dg.AssetKey(name))

    assert node.description
    assert node.group_name in ("source", "features", "serving", "training", "retraining", "experiments", "streaming")
    assert [tag for tag in node.tags if tag.startswith("dagster/kind/")]
    # A model is of many days, as its config says.
    if node.group_name not in ("training", "retraining") and name not in ("experiment_report", "velocity_stream"):
        assert node.partitions_def.timezone == "UTC"
    if name not in (
        "transactions",
        "velocity_stream",
    ):
        assert node.owners == ["team:risk-features"]
        assert node.code_version


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.key.to_user_string())
def test_check_belongs_to_a_partition_and_says_what_it_asks(spec: dg.AssetCheckSpec) -> None:
    reports_only = {
        *(f"{asset}:{check}" for asset in PUBLICATIONS for check in ("consistency", "readers")),
        "transactions:freshness",
    }

    assert spec.partitions_def is not None
    assert spec.description
    assert spec.blocking == (spec.key.to_user_string() not in reports_only)


def test_assets_take_their_place_in_the_pools() -> None:
    pools = {name: GRAPH.get(dg.AssetKey(name)).pools for name in ASSETS}

    assert [pools.pop(name) for name in PUBLICATIONS] == [{"publication"}] * len(PUBLICATIONS)
    assert pools.pop("transactions") == pools.pop("velocity_stream") == set()
    asking = {"training_set", "drift_reference"}  # these two read and write the warehouse
    groups = ("training", "retraining")
    training = {name for name in pools if GRAPH.get(dg.AssetKey(name)).group_name in groups} - asking
    assert [pools.pop(name) for name in sorted(training)] == [{"training"}] * 7
    assert set(map(frozenset, pools.values())) == {frozenset({"warehouse"})}


def test_instance_admits_one_step_to_a_pool_and_frees_the_places_of_ended_runs(tmp_path: Path) -> None:
    instance = instance_of(tmp_path)

    assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
    assert instance.run_monitoring_enabled
    assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 30
    assert not instance.telemetry_enabled


def test_code_version_changes_with_the_sql() -> None:
    group = GROUPS[0]
    first, *others = group.features
    changed = replace(group, features=(replace(first, sql=f"{first.sql} + 0"), *others))

    versions = [asset.code_versions_by_key[asset.key] for asset in map(group_asset, (group, group, changed))]

    assert versions[0] == versions[1] != versions[2]


def test_publication_is_late_after_six() -> None:
    [policy] = [GRAPH.get(dg.AssetKey(name)).freshness_policy for name in ASSETS if name == "published_features"]

    assert policy.deadline_cron == "0 6 * * *"
    assert policy.timezone == "UTC"


def test_dagster_stops_what_is_downstream_of_a_failed_blocking_check_of_an_external_asset() -> None:
    @dg.asset_check(asset="purchases", blocking=True, partitions_def=DAILY)
    def contract() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    @dg.asset(deps=["purchases"], partitions_def=DAILY)
    def features() -> None: ...

    result = _job(dg.AssetSpec("purchases", partitions_def=DAILY), features, contract).execute_in_process(
        partition_key=KEY, raise_on_error=False
    )

    assert not result.success
    assert result.get_asset_materialization_events() == []
    assert [e.partition for e in result.get_asset_check_evaluations()] == [KEY]


def test_dagster_calls_a_check_current_until_its_partition_is_materialised_again() -> None:
    @dg.asset(partitions_def=DAILY)
    def features() -> None: ...

    @dg.asset_check(asset=features, blocking=True, partitions_def=DAILY)
    def schema() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    job, check = _job(features, schema), dg.AssetCheckKey(dg.AssetKey("features"), "schema")
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance, partition_key=KEY)
        after_both = _info(instance, check)
        job.execute_in_process(instance=instance, partition_key="2026-03-09")
        after_another_day = _info(instance, check)
        alone = job.get_subset(asset_selection={dg.AssetKey("features")}, asset_check_selection=set())
        alone.execute_in_process(instance=instance, partition_key=KEY)
        after_the_asset_alone = _info(instance, check)

    assert after_both.latest_execution_status is AssetCheckExecutionRecordStatus.SUCCEEDED
    assert [info.is_current for info in (after_both, after_another_day, after_the_asset_alone)] == [True, True, False]


def test_dagster_blocks_within_a_run_only_so_that_the_gate_is_needed() -> None:
    @dg.asset(partitions_def=DAILY)
    def features() -> None: ...

    @dg.asset_check(asset=features, blocking=True, partitions_def=DAILY)
    def schema() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False)

    @dg.asset(deps=[features], partitions_def=DAILY)
    def published() -> None: ...

    job = _job(features, published, schema)
    with dg.DagsterInstance.ephemeral() as instance:
        together = job.execute_in_process(instance=instance, partition_key=KEY, raise_on_error=False)
        alone = job.get_subset(asset_selection={dg.AssetKey("published")}, asset_check_selection=set())
        later = alone.execute_in_process(instance=instance, partition_key=KEY)

    assert not together.success
    assert later.success


def test_daemon_and_code_server_run_a_launched_day(location: CodeLocation) -> None:
    environment = {**os.environ, **location.variables, "DAGSTER_HOME": str(location.folder / "dagster")}
    instance = location.instance
    job = [*_dagster("dagster"), "job", "launch", "-w", "workspace.yaml", "-j", "daily_features"]

    with _running([*_dagster("dagster-daemon"), "run", "-w", "workspace.yaml"], environment, location.folder):
        launched = subprocess.run(
            [*job, "--tags", f'{{"dagster/partition": "{KEY}"}}'],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert launched.returncode == 0, launched.stderr
        [run] = instance.get_runs(limit=1)
        _wait_until(lambda: instance.get_run_by_id(run.run_id).is_finished)

    assert instance.get_run_by_id(run.run_id).is_success
    assert location.served().provenance.run_id == run.run_id  # type: ignore[union-attr]


def _dagster(program: str) -> list[str]:
    return [str(Path(sys.executable).with_name(program))]


@contextmanager
def _running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def _job(*parts: object) -> dg.JobDefinition:
    checks = [part for part in parts if isinstance(part, dg.AssetChecksDefinition)]
    assets = [part for part in parts if not isinstance(part, dg.AssetChecksDefinition)]
    everything = dg.define_asset_job(
        "everything",
        dg.AssetSelection.all() | dg.AssetSelection.checks(*checks),
        executor_def=dg.in_process_executor,
    )
    return dg.Definitions(assets=assets, asset_checks=checks, jobs=[everything]).resolve_job_def("everything")


def _info(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> object:
    [info] = instance.event_log_storage.get_asset_check_partition_info([check], partition_keys=[KEY])
    return info
