"""The command that runs the Dagster graph, and how the library starts the code location."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from bnpl_features.cli.output import named_exit
from bnpl_features.cli.purchases import yesterday
from bnpl_features.settings import DEFAULT_FILE, FILE_VARIABLE, load_settings

DAILY_JOB, CHECKED_JOB, BACKFILL_JOB = "daily_features", "checked_features", "backfill_features"
OVERRIDE_TAG = "bnpl/drift_override"
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--partition", type=DAY, help="One day (default: yesterday, UTC).")
@click.option("--from", "first", type=DAY, help="First day of a range.")
@click.option("--to", "last", type=DAY, help="Last day of a range.")
@click.option("--publish-each", is_flag=True, help="Publish every day of the range, not only the last.")
@click.option("--no-publish", is_flag=True, help="Compute and check only.")
@click.option("--override-drift", metavar="REASON", help="Publish in spite of drift; the reason lands in the manifest.")
def run(
    partition: datetime | None,
    first: datetime | None,
    last: datetime | None,
    publish_each: bool,
    no_publish: bool,
    override_drift: str | None,
) -> None:
    """Run a day, or a range of days in order, through Dagster: compute, check, publish.

    Of a range every day is computed and checked, and the last one published.

    \b
    Examples:
      bnpl-features run
      bnpl-features run --from 2026-11-18 --to 2026-11-20
    """
    if publish_each and no_publish:
        raise click.UsageError("--publish-each and --no-publish exclude each other; give one of them")
    days = days_between(partition, first, last)
    tags = {"user": os.environ.get("USER", "operator")}
    if override_drift:
        tags[OVERRIDE_TAG] = override_drift
    checked_only = days if no_publish else [] if publish_each else days[:-1]
    published = [day for day in days if day not in checked_only]
    for job, chosen in ((CHECKED_JOB, checked_only), (DAILY_JOB, published)):
        if chosen:
            code = launch(job, chosen, tags)
            if code:
                sys.exit(code)


def launch(job: str, days: list[str], tags: dict[str, str], select: Sequence[str] = ()) -> int:
    """Hand the days to the code location; returns its exit code."""
    arguments = [*days, "--job", job, "--tags", json.dumps(tags)]
    return launch_module("automation.launch", [*arguments, "--select", *select] if select else arguments)


def launch_module(module: str, arguments: list[str]) -> int:
    """Run a module of the code location, in a process of its own: the library never imports Dagster."""
    with named_exit():
        variables = environment()
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=code_location(), env=variables, check=False).returncode


def code_location() -> Path:
    """The folder that holds workspace.yaml: this one or the nearest above."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "workspace.yaml").exists() and (folder / "definitions.py").exists():
            return folder
    raise click.UsageError(f"no workspace.yaml in {here} or above; run this inside a clone of the repository")


def environment() -> dict[str, str]:
    """The process's own, with a Dagster home inside the project where none is set.

    The code location runs in a folder of its own, so what is relative to this one is made absolute.
    """
    settings = load_settings()
    folders = {
        "BNPL_WAREHOUSE_FOLDER": settings.warehouse.folder,
        "BNPL_STORE_FOLDER": settings.store.folder,
        "BNPL_MODEL_FOLDER": settings.model.folder,
    }
    file = Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE).expanduser()
    paths = folders | ({FILE_VARIABLE: file} if file.exists() else {})
    if settings.monitoring.textfile_folder:
        paths["BNPL_TEXTFILE_FOLDER"] = Path(settings.monitoring.textfile_folder)
    absolute = {name: str(path.resolve()) for name, path in paths.items()}
    home = Path(os.environ.get("DAGSTER_HOME") or code_location() / ".bnpl" / "dagster")
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        (home / "dagster.yaml").write_text((code_location() / "dagster.yaml").read_text())
    # Dagster marks parts of its API as preview on every import; tests/test_definitions.py pins what is relied on.
    return {"PYTHONWARNINGS": "ignore", **os.environ, **absolute, "DAGSTER_HOME": str(home.resolve())}


def days_between(partition: datetime | None, first: datetime | None, last: datetime | None) -> list[str]:
    if (first is None) != (last is None) or (partition and first):
        raise click.UsageError("give --partition, or both --from and --to, or nothing for yesterday")
    newest, wanted = yesterday(), (last or partition)
    if wanted and wanted.date() > newest:
        raise click.UsageError(f"{wanted:%Y-%m-%d} is not over yet: the newest partition is {newest}, yesterday in UTC")
    if first and last:
        if first > last:
            raise click.UsageError(f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}")
        return [f"{first + timedelta(days=n):%Y-%m-%d}" for n in range((last - first).days + 1)]
    return [f"{(partition or newest):%Y-%m-%d}"]
