"""Drift, and a challenger that nobody asked for: what `bnpl-features demo-drift` starts, in a folder of its own.

    python -m automation.drift_demo .bnpl/drift-demo

The days before are run here; from the drift on a daemon does the rest, and this program only watches the event log.
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

from automation.jobs import BACKFILL_JOB, CHECKED_JOB, DAILY_JOB, EXCLUSIVE_TAG, TRAINING_JOB
from automation.launch import FAILED, run_day, run_range, show, wide_console
from bnpl_features.cli.main import commands
from bnpl_features.connect import open_shelf, open_warehouse, store_url
from bnpl_features.scoring.experiments.shelf import read_definitions
from bnpl_features.settings import FILE_VARIABLE, VARIABLES, load_settings
from bnpl_features.simulator import DriftedSegment, Population, inject, simulate

PROJECT = Path(__file__).resolve().parents[1]
MATURITY_DAYS, TRAINING_DAYS = 28, 10
DRIFT = {"share": 0.6, "amount_factor": 1.8, "night_share": 0.5}
DRIFT_DAYS = 8
"""How long customers have been buying otherwise: most features look back 30 days, so they move slowly."""

DAYS = (8, 1, 0)
"""How many days before the newest each day is that is run: one before the drift, two after some of it."""

PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.5
_SETTINGS = """[warehouse]
folder = "{folder}/warehouse"

[store]
folder = "{folder}/store"
customer_key = "the key of a demonstration"

[model]
folder = "{folder}/models"
maturity_days = {maturity_days}
training_days = {training_days}
resamples = 50

[scoring]
experiments_file = "{folder}/experiments.json"

[retraining]  # two of three days are enough here, where a day takes seconds
asking_days = 2
of_days = 3
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
        console.rule(f"2. Days before and after {newest - timedelta(days=DRIFT_DAYS - 1)}, when customers changed")
        for back in DAYS[:-1]:
            _run(console, instance, CHECKED_JOB, newest - timedelta(days=back))
        console.rule("3. A daemon and its sensors; nobody touches anything but for the daily run")
        with _daemon(folder):
            _run(console, instance, DAILY_JOB, newest)
            challenger = _watch(console, instance)
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
    file.write_text(_SETTINGS.format(folder=folder, maturity_days=MATURITY_DAYS, training_days=TRAINING_DAYS))
    for name in [*os.environ]:
        if name in VARIABLES or name.startswith("BNPL_"):
            del os.environ[name]
    os.environ.update({FILE_VARIABLE: str(file), "DAGSTER_HOME": str(folder / "dagster"), "PYTHONWARNINGS": "ignore"})


def _run(console: Console, instance: dg.DagsterInstance, job: str, day: date) -> None:
    result, seconds = run_day(instance, job, str(day), {"user": "demo"}, console)
    show(console, result, str(day), seconds)
    if not result.success:
        sys.exit(FAILED)


def _buy(console: Console, customers: int, newest: date) -> None:
    """Purchases of a small, busy lender, some of whose customers change at the end."""
    first = newest - timedelta(days=100)
    population = Population(
        customers, first, newest, seed=4, purchases_per_year=90.0, joined_share=0.9, default_hazard=3.0
    )
    drift = DriftedSegment(newest - timedelta(days=DRIFT_DAYS - 1), **DRIFT)
    table = inject(pa.Table.from_batches(simulate(population)), [drift])
    received = open_warehouse(load_settings().warehouse).upsert_transactions(iter(table.to_batches()), {})
    console.print(
        f"{received:,} purchases of {customers:,} customers, {first} to {newest}; from {drift.from_day} on "
        f"{drift.share:.0%} of them buy for {drift.amount_factor:g} times as much, and more at night"
    )


def _crown(console: Console, instance: dg.DagsterInstance, newest: date) -> None:
    """The features of the days that training reads, a champion from before the drift."""
    as_of = newest - timedelta(days=DAYS[0])
    first = as_of - timedelta(days=MATURITY_DAYS + TRAINING_DAYS)
    run_range(instance, BACKFILL_JOB, first, newest - timedelta(days=MATURITY_DAYS), console)
    _command(console, "train", "--as-of", str(as_of))
    for name in ("transaction_only", "behavioural"):
        _command(console, "promote", name, "--reason", "the first champion", "--force")


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
    start = [programs / "dagster", "sensor", "start", "retrain_on_drift", *workspace]
    subprocess.run(start, cwd=PROJECT, check=True, capture_output=True)
    with (folder / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen([programs / "dagster-daemon", "run", *workspace], cwd=PROJECT, stdout=log, stderr=log)
    try:
        yield
    finally:
        daemon.terminate()
        daemon.wait(timeout=30)


def _watch(console: Console, instance: dg.DagsterInstance) -> bool:
    """Say what the event log says, until the retraining has ended; whether a challenger is on trial."""
    deadline, said = time.monotonic() + PATIENCE_SECONDS, set()

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            console.print(f"{datetime.now(UTC):%H:%M:%S} {line}", highlight=False)

    say("waiting for the sensor retrain_on_drift")
    while time.monotonic() < deadline:
        for run in instance.get_runs(dg.RunsFilter(job_name="retrain", tags={EXCLUSIVE_TAG: TRAINING_JOB})):
            say(f"run {run.run_id} was requested: {run.tags['bnpl/retraining_reason']}")
            for stats in instance.get_run_step_stats(run.run_id):
                if stats.end_time:
                    say(f"  {stats.step_key}: {stats.status.value.lower()}")
            if run.is_finished:
                _tell(console, instance, run)
                return run.is_success and _on_trial(console)
        time.sleep(_LOOK_SECONDS)
    console.print("[red]no challenger in time[/red]; see daemon.log")
    return False


def _tell(console: Console, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """What the run's assets say of the challenger."""
    shown = ("behavioural_compared", "behavioural_may_be_promoted", "behavioural_objections", "trial", "promoted")
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
