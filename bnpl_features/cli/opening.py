"""The command that opens everything on this machine: Dagster, the prediction service, the console, a simulated day."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click

from bnpl_features.cli.output import console, named_exit
from bnpl_features.cli.pipeline import code_location, environment
from bnpl_features.connect.data import store_url
from bnpl_features.settings import load_settings
from bnpl_features.store.address import without_password

STOP_SECONDS = 8
_LOOK_SECONDS = 0.5
_PORT = click.IntRange(1, 65_535)
_CONSOLE_LINES = 2


@dataclass(frozen=True)
class Program:
    """A process of its own session, so that what it starts ends with it; its output goes to the log."""

    name: str
    process: subprocess.Popen[str]
    log: Path


@click.command()
@click.option("--port", type=_PORT, default=3000, show_default=True, help="Of Dagster's UI, on 127.0.0.1.")
@click.option("--console-port", type=_PORT, help="Of the console (default: console.port).")
@click.option("--service-port", type=_PORT, help="Of the prediction service (default: scoring.port).")
@click.option(
    "--per-second", type=click.FloatRange(0, 200), default=3.0, show_default=True, help="Simulated purchases."
)
@click.option("--dagster-only", is_flag=True, help="Only Dagster and the store.")
def up(port: int, console_port: int | None, service_port: int | None, per_second: float, dagster_only: bool) -> None:
    """Open Dagster, the prediction service, the stream's worker and the console on this project's data.

    A simulated day runs: purchases like yesterday's are scored and streamed, so that there is something to see
    (--per-second 0: none). The embedded store runs beside it all. What each says stands in .bnpl/logs.

    Example: bnpl-features up --port 3333
    """
    with named_exit():
        settings = load_settings()
    ports = {"--port": port}
    if not dagster_only:
        ports["--console-port"] = console_port or settings.console.port
        ports["--service-port"] = service_port or settings.scoring.port
    for option, number in ports.items():
        if not _is_free(number):
            raise click.BadParameter(f"port {number} is in use; choose another with {option}")
    asked: list[int] = []

    def leave(number: int, frame: object) -> None:
        """Until everything runs: by way of the blocks below, which stop the embedded store."""
        asked.append(number)
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    with named_exit(), store_url(settings.store) as url:
        variables = environment()
        if not dagster_only:
            variables = {"BNPL_CONSOLE_PUBLIC_URL": f"http://127.0.0.1:{ports['--console-port']}", **variables}
        console.print(f"store at {without_password(url)}", highlight=False)
        dagster = [sys.executable, "-m", "dagster"]
        # Feature groups may run side by side; publications, whose pool keeps the default limit of one, never do.
        subprocess.run(
            [*dagster, "instance", "concurrency", "set", "warehouse", "4"],
            env=variables,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        programs = [
            _start(
                "dagster",
                [*dagster, "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
                variables,
                code_location(),
            )
        ]
        console.print(f"Dagster at http://127.0.0.1:{port}", highlight=False)
        try:
            if asked:  # while a finaliser ran, where Python ignores what a handler raises
                sys.exit(128 + asked[0])
            if not dagster_only:
                programs += _beside(ports, variables, per_second)
            _until_stopped(programs)
        finally:
            _end(programs)


def _beside(ports: Mapping[str, int], variables: Mapping[str, str], per_second: float) -> list[Program]:
    """The prediction service, the stream's worker, the console, and the day that keeps them busy."""
    own = [sys.argv[0]]
    dagster, service = (f"http://127.0.0.1:{ports[name]}" for name in ("--port", "--service-port"))
    known = {**variables, "BNPL_CONSOLE_DAGSTER_URL": dagster, "BNPL_CONSOLE_SERVICE_URL": service}
    shown = _start("console", [*own, "console", "--development", "--port", str(ports["--console-port"])], known)
    programs = [
        shown,
        _start("service", [*own, "serve", "--port", str(ports["--service-port"])], known),
        _start("stream", [*own, "stream", "work"], known),
    ]
    if per_second:
        programs.append(_start("day", [*own, "simulate-day", "--url", service, "--per-second", str(per_second)], known))
    console.print(f"prediction service at {service}", highlight=False)
    if shown.process.stdout is not None:
        for _ in range(_CONSOLE_LINES):
            console.print(shown.process.stdout.readline().rstrip(), highlight=False)
    return programs


def _start(name: str, words: Sequence[str], variables: Mapping[str, str], folder: Path | None = None) -> Program:
    path = code_location() / ".bnpl" / "logs" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as log:
        output = subprocess.PIPE if name == "console" else log
        process = subprocess.Popen(
            words, env=variables, cwd=folder, stdout=output, stderr=log, text=True, start_new_session=True
        )
    return Program(name, process, path)


def _until_stopped(programs: Sequence[Program]) -> None:
    """Wait until Dagster ends; on Ctrl-C or SIGTERM ask all to stop. Whoever ends before is told of once."""

    told: set[str] = set()

    def ask_to_stop(number: int, frame: object) -> None:
        told.update(program.name for program in programs)
        for program in programs:
            program.process.terminate()
        signal.alarm(STOP_SECONDS)

    signal.signal(signal.SIGALRM, lambda number, frame: _end(programs))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    while programs[0].process.poll() is None:
        for program in programs[1:]:
            if program.process.poll() and program.name not in told:
                told.add(program.name)
                console.print(f"{program.name} ended with {program.process.returncode}; see {program.log}")
        time.sleep(_LOOK_SECONDS)
    for program in programs[1:]:
        program.process.wait()
    signal.alarm(0)


def _end(programs: Sequence[Program]) -> None:
    """Whatever is left of their sessions."""
    for program in programs:
        with suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)


def _is_free(port: int) -> bool:
    with socket.socket() as listener, suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        return True
    return False
