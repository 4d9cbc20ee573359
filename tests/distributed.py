"""The code location whose publications run in processes of their own, several ranges at once, against a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest

from automation.jobs import PUBLISH_JOB
from tests.code_location import DAY, PROJECT, CodeLocation
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


def succeeds(launched: subprocess.Popen[str], seconds: float = 300) -> None:
    printed, errors = launched.communicate(timeout=seconds)
    assert launched.returncode == 0, printed + errors
