"""A run is left alone while its process lives, and ended when it is gone."""

import subprocess
import sys
from pathlib import Path

import dagster as dg

from automation.abandoned import end_abandoned_runs, known_to_live
from tests.code_location import instance_of, job_of

_HOLDS_AND_DIES = """
import os, sys
import dagster as dg
from automation.abandoned import known_to_live
with dg.DagsterInstance.from_config(sys.argv[1]) as instance, known_to_live(instance, sys.argv[2]):
    os.kill(os.getpid(), 9)
"""


def test_run_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    instance = instance_of(tmp_path)
    run = _started(instance)

    with known_to_live(instance, run.run_id):
        assert end_abandoned_runs(instance) == []

    assert end_abandoned_runs(instance) == []
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED


def test_run_of_a_killed_process_fails_and_frees_its_place(tmp_path: Path) -> None:
    instance = instance_of(tmp_path)
    run = _started(instance)
    instance.event_log_storage.initialize_concurrency_limit_to_default("publication")
    instance.event_log_storage.claim_concurrency_slot("publication", run.run_id, "published_features")
    subprocess.run([sys.executable, "-W", "ignore", "-c", _HOLDS_AND_DIES, str(tmp_path), run.run_id], check=False)

    ended = end_abandoned_runs(instance)

    assert ended == [run.run_id]
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("publication").claimed_slots == []
    assert end_abandoned_runs(instance) == []


def _started(instance: dg.DagsterInstance) -> dg.DagsterRun:
    run = instance.create_run_for_job(job_of("backfill_features"), tags={"dagster/partition": "2026-03-10"})
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", run.job_name), run_id=run.run_id)
    return instance.get_run_by_id(run.run_id)
