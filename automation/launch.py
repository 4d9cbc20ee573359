"""Runs jobs of this code location in this process, day by day, with progress: what `bnpl-features run` starts.

    python -m automation.launch --job daily_features 2026-11-19 2026-11-20

The backfill is one run over all of its days; other jobs are a run a day. Exits with 0 when every day succeeded, 5 when
one did not (the later days are then not tried), 2 when there is no such day.
"""

# ruff: noqa: E402 (the preview notices of Dagster's API speak to developers, not to whoever runs a job)
import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

import argparse
import json
import logging
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from assets.partitions import DAILY
from automation.abandoned import end_abandoned_runs, known_to_live
from automation.jobs import BACKFILL_JOB, CHECKED_JOB, DAILY_JOB, PUBLISH_JOB
from automation.processes import has_processes_of_its_own, run_in_processes
from definitions import defs

Result = dg.ExecuteInProcessResult | dg.JobExecutionResult

WRONG_INPUT, FAILED = 2, 5
_POLL_SECONDS = 0.25


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", choices=[DAILY_JOB, CHECKED_JOB, BACKFILL_JOB, PUBLISH_JOB], default=DAILY_JOB)
    parser.add_argument("--tags", type=json.loads, default={}, help="run tags, as a JSON object")
    parser.add_argument("--select", nargs="+", default=[], help="assets of the job, instead of all of them")
    parser.add_argument("--verbose", action="store_true", help="show Dagster's own log")
    parser.add_argument("days", nargs="+")
    given = parser.parse_args(arguments)
    logging.getLogger("bnpl_features").setLevel(logging.ERROR)
    console = wide_console()
    for day in given.days:
        if not DAILY.has_partition_key(day):
            first, last = DAILY.get_first_partition_key(), DAILY.get_last_partition_key()
            mend = "a day becomes a partition when it is over (UTC); assets/partitions.py says which is the first"
            print(f"error: there is no partition {day!r}: choose from {first} to {last}; {mend}", file=sys.stderr)
            return WRONG_INPUT
    with dg.DagsterInstance.get() as instance:
        for run_id in end_abandoned_runs(instance):
            console.print(f"run {run_id} was killed before it ended; it counts as failed now")
        for days in [given.days] if given.job == BACKFILL_JOB else [[day] for day in given.days]:
            result, seconds = run_days(
                instance, given.job, days, given.tags, console, select=given.select, verbose=given.verbose
            )
            show(console, result, _text(days), seconds)
            if not result.success:
                return FAILED
    return 0


def run_days(
    instance: dg.DagsterInstance,
    job: str,
    days: list[str],
    tags: dict[str, str],
    console: Console,
    *,
    select: Sequence[str] = (),
    verbose: bool = False,
) -> tuple[Result, float]:
    """One partition of a job, or a range of them, recorded in the instance like any other run: in this process, or its
    steps where the settings say."""
    definition = defs.resolve_job_def(job)
    if select:
        keys = {dg.AssetKey(name) for name in select}
        checks = {key for key in definition.asset_layer.asset_graph.asset_check_keys if key.asset_key in keys}
        definition = definition.get_subset(asset_selection=keys, asset_check_selection=checks)
    ranged = {ASSET_PARTITION_RANGE_START_TAG: days[0], ASSET_PARTITION_RANGE_END_TAG: days[-1]}
    run_id = str(uuid4())
    started = time.monotonic()
    progress = _progress(instance, run_id, f"{job} {_text(days)}", len(definition.graph.nodes), console)
    with known_to_live(instance, run_id), progress:
        result: Result
        if has_processes_of_its_own(definition):
            result = run_in_processes(instance, definition, days[0], tags, run_id, _loggers(verbose=verbose))
        else:
            result = definition.execute_in_process(
                instance=instance,
                partition_key=days[0] if len(days) == 1 else None,
                tags=tags if len(days) == 1 else {**tags, **ranged},
                run_id=run_id,
                run_config=_loggers(verbose=verbose),
                raise_on_error=False,
            )
    return result, time.monotonic() - started


def _text(days: list[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def wide_console() -> Console:
    """Tables keep their width where the output goes to a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def show(console: Console, result: Result, day: str, seconds: float) -> None:
    """The checks of the run as a table (asset by check), then why it failed, if it did."""
    evaluations = result.get_asset_check_evaluations()
    names = sorted({evaluation.check_name for evaluation in evaluations})
    assets = list(dict.fromkeys(evaluation.asset_key.to_user_string() for evaluation in evaluations))
    table = Table(title=f"Checks of {day}", title_justify="left")
    table.add_column("asset", no_wrap=True)
    for name in names:
        table.add_column(name, justify="center")
    marks = {(e.asset_key.to_user_string(), e.check_name): _mark(e) for e in evaluations}
    for asset in assets:
        table.add_row(asset, *(marks.get((asset, name), "") for name in names))
    if evaluations:
        console.print(table)
    for evaluation in evaluations:
        if not evaluation.passed:
            name = f"{evaluation.asset_key.to_user_string()}:{evaluation.check_name}"
            console.print(f"  {name}: {escape(evaluation.description or '')}")
    for event in result.get_step_failure_events():
        console.print(f"[red]{event.step_key}[/red]: {escape(_reason(event))}", highlight=False)
    outcome = "[green]succeeded[/green]" if result.success else "[red]failed[/red]"
    console.print(f"{day} {outcome} in {seconds:.1f} s (run {result.run_id})")


def _loggers(*, verbose: bool) -> dict[str, Any]:
    return {"loggers": {"console": {"config": {"log_level": "INFO" if verbose else "CRITICAL"}}}}


def _reason(event: dg.DagsterEvent) -> str:
    """The description of the failure, or the message of the innermost exception."""
    if event.step_failure_data.user_failure_data:
        return event.step_failure_data.user_failure_data.description or ""
    error = event.step_failure_data.error
    while error and error.cause:
        error = error.cause
    return error.message.strip() if error else "no reason was recorded"


def _mark(evaluation: dg.AssetCheckEvaluation) -> str:
    if evaluation.passed:
        return "[green]pass[/green]"
    return "[red]FAIL[/red]" if evaluation.severity is dg.AssetCheckSeverity.ERROR else "[yellow]warn[/yellow]"


@contextmanager
def _progress(instance: dg.DagsterInstance, run_id: str, title: str, steps: int, console: Console) -> Iterator[None]:
    """A bar over the run's steps, read from the event log, where there is somebody to see it."""
    if not console.is_terminal:
        yield
        return
    ended = threading.Event()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=steps)

        def follow() -> None:
            while not ended.wait(_POLL_SECONDS):
                done = [s for s in instance.get_run_step_stats(run_id) if s.end_time is not None]
                progress.update(task, completed=len(done))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
