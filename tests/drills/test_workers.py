"""Workers of a publication: one is killed, and the whole daily job in processes."""

from __future__ import annotations

import os
import signal
import subprocess

import dagster as dg
import pytest

from automation.jobs import DAILY_JOB
from automation.launch import FAILED
from tests.bnpl_features.store.shop import wait_until
from tests.code_location import TOMORROW, location, template, valkey
from tests.distributed import WORKERS, Distributed, distributed, succeeds

__all__ = ["distributed", "location", "template", "valkey"]
pytestmark = pytest.mark.drill
PATIENCE_SECONDS = 120


def test_a_worker_that_is_killed_fails_the_run_and_what_is_served_stays(distributed: Distributed) -> None:
    succeeds(distributed.publish())
    before = distributed.location.served()
    assert before is not None
    publishing = distributed.publish()
    wait_until(lambda: _has_begun(distributed, publishing), "the publication has begun", PATIENCE_SECONDS)
    distributed.pause_writes()
    wait_until(lambda: len(distributed.placing()) == WORKERS, "the workers run", PATIENCE_SECONDS)

    os.kill(min(distributed.placing().values()), signal.SIGKILL)
    distributed.go_on()
    printed, errors = publishing.communicate(timeout=300)

    assert publishing.returncode == FAILED, printed + errors
    assert distributed.location.served() == before
    succeeds(distributed.publish())
    after = distributed.location.served()
    assert after is not None
    assert after.version > before.version


def test_the_whole_daily_job_runs_in_processes(distributed: Distributed) -> None:
    """A process a step of about eighty takes minutes on two cores: what the setting costs, and why it is one."""
    succeeds(distributed.launch(TOMORROW.isoformat(), "--job", DAILY_JOB), seconds=1_800)

    served = distributed.location.served()
    assert served is not None
    assert served.partition_date == TOMORROW
    assert len({*distributed.placing().values()}) == WORKERS


def _has_begun(distributed: Distributed, publishing: subprocess.Popen[str]) -> bool:
    """The publication's first step is done, and its workers are on the way."""
    assert publishing.poll() is None, publishing.communicate()
    instance = distributed.location.instance
    [run] = instance.get_runs(limit=1)
    if run.is_finished:
        return False
    done = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    return any("begin_publication" in (entry.step_key or "") for entry in done)
