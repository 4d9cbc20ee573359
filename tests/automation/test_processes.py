"""Bucket ranges as processes of their own, several at once, against a Redis Cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest

from automation.executor import definition_of
from automation.jobs import DAILY_JOB, PUBLISH_JOB
from automation.launch import FAILED
from bnpl_features.errors import SettingsError
from bnpl_features.sections import PipelineSettings
from tests.code_location import DAY, PROJECT, TOMORROW, CodeLocation
from tests.fleet import Fleet, cluster

WORKERS = 3
PLACING = "place_ranges"
PAUSE_MILLISECONDS = 120_000
RANGES_OF_A_HUNDRED = "from bnpl_features.store.publishing import spool\n\nspool.CUSTOMERS_PER_RANGE = 100\n"
"""Python imports `sitecustomize` in each process: six hundred customers are several ranges in all of them."""


@dataclass(frozen=True)
class Distributed:
    """The template's deployment with three primaries as its store, which serve nothing yet."""

    location: CodeLocation
    fleet: Fleet

    def launch(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **self.location.variables, "DAGSTER_HOME": str(self.location.folder / "dagster")}
        return subprocess.Popen(
            [sys.executable, "-m", "automation.launch", *arguments],
            cwd=PROJECT,
            env=environment | {"PYTHONWARNINGS": "ignore", "PYTHONPATH": str(self.location.folder / "customized")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def publish(self) -> subprocess.Popen[str]:
        return self.launch(DAY.isoformat(), "--job", PUBLISH_JOB, "--select", "published_features")

    def placing(self) -> dict[str, int]:
        """Step -> the process that began it, of the newest run."""
        instance = self.location.instance
        [run] = instance.get_runs(limit=1)
        events = [
            entry.dagster_event
            for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_WORKER_STARTED)
            if entry.dagster_event and PLACING in (entry.dagster_event.step_key or "")
        ]
        return {str(event.step_key): int(str(event.engine_event_data.metadata["pid"].value)) for event in events}

    def pause_writes(self) -> None:
        for member in self.fleet.members:
            member.client.execute_command("CLIENT", "PAUSE", PAUSE_MILLISECONDS, "WRITE")

    def go_on(self) -> None:
        for member in self.fleet.members:
            member.client.execute_command("CLIENT", "UNPAUSE")


@pytest.fixture
def distributed(location: CodeLocation, tmp_path: Path) -> Iterator[Distributed]:
    customized = tmp_path / "customized" / "sitecustomize.py"
    customized.parent.mkdir()
    customized.write_text(RANGES_OF_A_HUNDRED)
    with cluster(tmp_path / "cluster", replicas=0) as fleet:
        made = replace(location, url=fleet.url).having(
            BNPL_PIPELINE_EXECUTOR="multiprocess",
            BNPL_PIPELINE_EXECUTOR_CONFIG=f'{{"max_concurrent": {WORKERS}}}',
            BNPL_PUBLISH_WORKERS=str(WORKERS),
            BNPL_PUBLISH_FOLDER=str(tmp_path),
        )
        yield Distributed(made, fleet)


def test_ranges_of_one_publication_run_in_processes_of_their_own(distributed: Distributed) -> None:
    _succeeds(distributed.publish())

    served = distributed.location.served()
    assert served is not None
    assert served.partition_date == DAY
    assert served.customers == len(distributed.location.customers())
    assert len({*distributed.placing().values()}) == WORKERS


def test_a_worker_that_is_killed_fails_the_run_and_what_is_served_stays(distributed: Distributed) -> None:
    _succeeds(distributed.publish())
    before = distributed.location.served()
    assert before is not None
    publishing = distributed.publish()
    _wait_until(lambda: _has_begun(distributed, publishing))
    distributed.pause_writes()
    _wait_until(lambda: len(distributed.placing()) == WORKERS)

    os.kill(min(distributed.placing().values()), signal.SIGKILL)
    distributed.go_on()
    printed, errors = publishing.communicate(timeout=300)

    assert publishing.returncode == FAILED, printed + errors
    assert distributed.location.served() == before
    _succeeds(distributed.publish())
    after = distributed.location.served()
    assert after is not None
    assert after.version > before.version


@pytest.mark.drill
def test_the_whole_daily_job_runs_in_processes(distributed: Distributed) -> None:
    """A process a step of about eighty takes minutes on two cores: what the setting costs, and why it is one."""
    _succeeds(distributed.launch(TOMORROW.isoformat(), "--job", DAILY_JOB), seconds=1_800)

    served = distributed.location.served()
    assert served is not None
    assert served.partition_date == TOMORROW
    assert len({*distributed.placing().values()}) == WORKERS


def test_an_executor_whose_package_is_missing_is_refused_with_the_mend() -> None:
    with pytest.raises(SettingsError, match="dagster-celery is not installed here"):
        definition_of(PipelineSettings("celery"))


def test_kubernetes_is_dagsters_own_executor() -> None:
    from dagster_k8s import k8s_job_executor

    assert definition_of(PipelineSettings("kubernetes")) is k8s_job_executor


def _has_begun(distributed: Distributed, publishing: subprocess.Popen[str]) -> bool:
    """The publication's first step is done, and its workers are on the way."""
    assert publishing.poll() is None, publishing.communicate()
    instance = distributed.location.instance
    [run] = instance.get_runs(limit=1)
    if run.is_finished:
        return False
    done = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    return any("begin_publication" in (entry.step_key or "") for entry in done)


def _succeeds(launched: subprocess.Popen[str], seconds: float = 300) -> None:
    printed, errors = launched.communicate(timeout=seconds)
    assert launched.returncode == 0, printed + errors


def _wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
