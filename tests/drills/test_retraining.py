"""Once for real: the simulator injects drift, a daemon runs, and a challenger appears without a hand on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from automation.jobs import RETRAINING_JOB
from bnpl_features.risk_model.registry import CHALLENGER, CHAMPION, open_registry, version_of
from bnpl_features.scoring.experiments.shelf import FileShelf, read_definitions
from tests.code_location import PROJECT

MOST_SECONDS = 180


@pytest.mark.drill
def test_drift_ends_in_a_challenger_on_trial(tmp_path: Path) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "automation.drift_demo", str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    print(done.stdout)

    assert done.returncode == 0, done.stdout + done.stderr
    registry = open_registry("", tmp_path / "models")
    assert version_of(registry, "behavioural", CHALLENGER).number == 2
    assert version_of(registry, "behavioural", CHAMPION).number == 1
    running = read_definitions(FileShelf(tmp_path / "experiments.json")).running
    assert running is not None
    assert running.actor == "retraining"
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        [run] = instance.get_runs(dg.RunsFilter(job_name=RETRAINING_JOB))
    assert run.tags["dagster/sensor_name"] == "retrain_on_drift"
    assert re.search(r"2 of the newest 3 partitions ask for retraining", run.tags["bnpl/retraining_reason"])
    assert run.tags["bnpl/drifted_features"]
    assert seconds < MOST_SECONDS
