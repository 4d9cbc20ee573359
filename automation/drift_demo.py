"""Drift, and a challenger that nobody asked for: what `bnpl-features demo-drift` starts, in a folder of its own.

    python -m automation.drift_demo .bnpl/drift-demo

The days before are computed here; then a daemon does everything but the daily run, and this program only watches the
event log.
Exits with 0 when a challenger is registered and on trial, 5 when none is in time.
"""

# ruff: noqa: E402 (the preview notices of Dagster's API speak to developers, not to whoever runs a demonstration)
import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

import argparse
import io
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from rich.console import Console

from assets.retraining import REASON_TAG
from automation.jobs import ADOPTION_JOB, BACKFILL_JOB, DAILY_JOB, RETRAINING_JOB
from automation.launch import FAILED, run_days, show, wide_console
from bnpl_features.cli.main import commands
from bnpl_features.connect.data import open_warehouse, store_url
from bnpl_features.connect.serving import open_shelf
from bnpl_features.scoring.experiments.shelf import read_definitions
from bnpl_features.settings import FILE_VARIABLE, VARIABLES, load_settings
from bnpl_features.simulator import DriftedSegment, Population, inject, simulate

PROJECT = Path(__file__).resolve().parents[1]
MATURITY_DAYS, TRAINING_DAYS = 28, 10
CHAMPION_DAYS = 3
"""How long ago the champion was trained, on purchases that were mature by then."""

DRIFT_DAYS, RAMP_DAYS = 26, 14
"""For how long customers have been changing, and until all who change have: after what trained the champion."""

DRIFT = {"share": 0.6, "amount_factor": 1.8, "night_share": 0.5}
TRAILING_DAYS = 4
"""Days before the newest that were computed: what tells slow drift from a leap."""

PATIENCE_SECONDS = 180.0
_LOOK_SECONDS = 0.5
_SETTINGS = """[warehouse]
folder = "{folder}/warehouse"

[store]
folder = "{folder}/store"
customer_key = "file:{folder}/customer-key"

[model]
folder = "{folder}/models"
maturity_days = {maturity_days}
training_days = {training_days}
resamples = 50

[scoring]
experiments_file = "{folder}/experiments.json"

[retraining]  # one day is enough here; usually three of five must ask
asking_days = 1
of_days = 1
calm_days = 0
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="made anew")
    parser.add_argument("--customers", type=int, default=1_500)
    given = parser.parse_args(arguments)
    started, console = time.monotonic(), wide_console()
    logging.getLogger("bnpl_features").setLevel(logging.ERROR)
    folder = given.folder.resolve()
    configure(folder)
    newest = datetime.now(UTC).date() - timedelta(days=1)
    with store_url(load_settings().store) as url, dg.DagsterInstance.get() as instance:
        os.environ["REDIS_URL"] = url
        console.rule("1. A lender, and a champion")
        _buy(console, given.customers, newest)
        _crown(console, instance, newest)
        console.rule("2. A daemon and its sensors: from here on nobody touches anything but the daily run")
        with _daemon(folder):
            challenger = _watch(console, instance, newest)
    console.rule()
    console.print("To look around: bnpl-features models, bnpl-features experiments list, with")
    console.print(f"  export BNPL_SETTINGS={folder}/settings.toml DAGSTER_HOME={folder}/dagster", soft_wrap=True)
    console.print(f"Done in {time.monotonic() - started:.0f} s.")
    return 0 if challenger else FAILED


def configure(folder: Path) -> None:
    """The folder made anew, and this process configured by nothing but the file in it: whatever store and warehouse the
    caller's environment names are not those of a demonstration."""
    file = folder / "settings.toml"
    if folder.exists() and any(folder.iterdir()) and not file.exists():
        sys.exit(f"error: {folder} holds something else than a demonstration; name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("dagster", "warehouse", "store"):
        (folder / part).mkdir(parents=True)
    shutil.copy(PROJECT / "dagster.yaml", folder / "dagster")
    (folder / "customer-key").write_text("the key of a demonstration")
    file.write_text(_SETTINGS.format(folder=folder, maturity_days=MATURITY_DAYS, training_days=TRAINING_DAYS))
    for name in [*os.environ]:
        if name in VARIABLES or name.startswith("BNPL_"):
            del os.environ[name]
    os.environ.update({FILE_VARIABLE: str(file), "DAGSTER_HOME": str(folder / "dagster"), "PYTHONWARNINGS": "ignore"})


def _buy(console: Console, customers: int, newest: date) -> None:
    """Purchases of a small, busy lender, some of whose customers change."""
    first = newest - timedelta(days=100)
    population = Population(
        customers, first, newest, seed=4, purchases_per_year=90.0, joined_share=0.9, default_hazard=3.0
    )
    drift = DriftedSegment(newest - timedelta(days=DRIFT_DAYS), ramp_days=RAMP_DAYS, **DRIFT)
    table = inject(pa.Table.from_batches(simulate(population)), [drift])
    received = open_warehouse(load_settings().warehouse).upsert_transactions(iter(table.to_batches()), {})
    console.print(
        f"{received:,} purchases of {customers:,} customers, {first} to {newest}; from {drift.from_day} on more and "
        f"more of them, {drift.share:.0%} in the end, buy for {drift.amount_factor:g} times as much, and at night"
    )


def _crown(console: Console, instance: dg.DagsterInstance, newest: date) -> None:
    """The features of the days that training reads, and a champion."""
    as_of = newest - timedelta(days=CHAMPION_DAYS)
    first, last = as_of - timedelta(days=MATURITY_DAYS + TRAINING_DAYS), newest - timedelta(days=MATURITY_DAYS)
    _backfill(console, instance, first, last)
    _backfill(console, instance, newest - timedelta(days=TRAILING_DAYS), newest - timedelta(days=1))
    _command(console, "train", "--as-of", str(as_of))
    for name in ("transaction_only", "behavioural"):
        _command(console, "promote", name, "--reason", "the first champion", "--force")


def _backfill(console: Console, instance: dg.DagsterInstance, first: date, last: date) -> None:
    days = [str(first + timedelta(days=number)) for number in range((last - first).days + 1)]
    result, seconds = run_days(instance, BACKFILL_JOB, days, {"user": "demo"}, console)
    show(console, result, f"{first} to {last}", seconds)
    if not result.success:
        sys.exit(FAILED)


def _command(console: Console, *words: str) -> None:
    """A command in this process, which need not load everything once more; its last line is shown."""
    console.print(f"$ bnpl-features {' '.join(words)}", highlight=False)
    with redirect_stdout(io.StringIO()) as printed:
        commands.main([*words], standalone_mode=False)
    console.print(printed.getvalue().strip().splitlines()[-1], highlight=False)


@contextmanager
def _daemon(folder: Path) -> Iterator[None]:
    """The daemon that evaluates sensors and launches runs; the sensor that retrains is started, as an operator does."""
    programs, workspace = Path(sys.executable).parent, ("-w", "workspace.yaml")
    for sensor in ("champion_reference", "retrain_on_drift"):
        start = [programs / "dagster", "sensor", "start", sensor, *workspace]
        subprocess.run(start, cwd=PROJECT, check=True, capture_output=True)
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen([programs / "dagster-daemon", "run", *workspace], cwd=PROJECT, stdout=log, stderr=log)
    try:
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(timeout=30)
        except subprocess.TimeoutExpired:
            daemon.kill()


def _watch(console: Console, instance: dg.DagsterInstance, newest: date) -> bool:
    """The daily run once the reference is there; then say what the event log says; whether a challenger is on trial."""
    adopted = _follow(console, instance, ADOPTION_JOB, "champion_reference")
    if adopted is None:
        return False
    result, seconds = run_days(instance, DAILY_JOB, [str(newest)], {"user": "demo"}, console)
    show(console, result, str(newest), seconds)
    run = _follow(console, instance, RETRAINING_JOB, "retrain_on_drift") if result.success else None
    return run is not None and run.is_success and _on_trial(console)


def _follow(console: Console, instance: dg.DagsterInstance, job: str, sensor: str) -> dg.DagsterRun | None:
    """The run that a sensor requests, when it has ended; None where there is none in time."""
    deadline, said = time.monotonic() + PATIENCE_SECONDS, set()

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            console.print(f"{datetime.now(UTC):%H:%M:%S} {line}", highlight=False)

    say(f"waiting for the sensor {sensor}")
    while time.monotonic() < deadline:
        for run in instance.get_runs(dg.RunsFilter(job_name=job)):
            say(f"{sensor} requested a run of {job}: {run.tags[REASON_TAG]}")
            for stats in instance.get_run_step_stats(run.run_id):
                if stats.end_time:
                    say(f"  {stats.step_key}: {stats.status.value.lower()}")
            if run.is_finished:
                _tell(console, instance, run)
                return run
        time.sleep(_LOOK_SECONDS)
    console.print("[red]nothing in time[/red]; see daemon.log")
    return None


def _tell(console: Console, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """What the run's assets say of the challenger."""
    shown = (
        "days",
        "behavioural_compared",
        "behavioural_may_be_promoted",
        "behavioural_objections",
        "trial",
        "promoted",
    )
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        materialization = entry.asset_materialization
        for name, value in (materialization.metadata if materialization else {}).items():
            if name in shown:
                console.print(f"         {name.replace('_', ' ')}: {value.value}", highlight=False)


def _on_trial(console: Console) -> bool:
    settings = load_settings()
    with open_shelf(settings.scoring, settings.store) as shelf:
        running = read_definitions(shelf).running
    if running is None:
        return False
    arms = ", ".join(f"{arm.name} {arm.model or ''} {arm.version or ''}".strip() for arm in running.arms)
    console.print(f"[green]experiment {running.name} is running[/green]: {arms}", highlight=False)
    return True


if __name__ == "__main__":
    sys.exit(main())
