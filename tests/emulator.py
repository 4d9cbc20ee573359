"""The BigQuery emulator of the tests: a process of its own, in a virtual environment of its own, on free ports."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
"""The first start after an installation reads some 200 MB of cold files."""

_REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Emulator:
    """Where a running emulator answers."""

    api_endpoint: str
    storage_endpoint: str


def emulator_venv() -> Path:
    """The virtual environment that `make .venv-emulator/ready` builds."""
    return Path(os.environ.get("BNPL_EMULATOR_VENV") or _REPOSITORY / ".venv-emulator")


def is_installed() -> bool:
    return _executable().exists()


@contextmanager
def start_emulator() -> Iterator[Emulator]:
    """An empty emulator, stopped when the block ends; raises RuntimeError with its log when it does not start."""
    with tempfile.TemporaryDirectory(prefix="bqemulator-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [_executable(), "start", "--rest-port", "0", "--grpc-port", "0"],
                cwd=folder,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
            )
        try:
            yield _wait_until_it_listens(process, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _executable() -> Path:
    return emulator_venv() / "bin" / "bqemulator"


def _environment(folder: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        # DuckDB looks for extensions in ~/.duckdb; `spatial` was put into that of the virtual environment.
        "HOME": str(emulator_venv().resolve()),
        "BQEMU_ENABLE_FORMAT_EXTENSIONS": "false",  # Avro is not used here, and would be downloaded
        "BQEMU_UPLOAD_STAGING_DIR": folder,
        "BQEMU_LOG_LEVEL": "info",
        "BQEMU_LOG_FORMAT": "json",
    }


def _wait_until_it_listens(process: subprocess.Popen[bytes], log: Path) -> Emulator:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        ports = _listening_ports(log.read_text(errors="replace"))
        if {"rest.listen", "grpc.listen"} <= ports.keys():
            return Emulator(f"http://127.0.0.1:{ports['rest.listen']}", f"127.0.0.1:{ports['grpc.listen']}")
        time.sleep(0.05)
    raise RuntimeError(f"bqemulator did not start; its log ends in:\n{log.read_text(errors='replace')[-2000:]}")


def _listening_ports(log: str) -> dict[str, int]:
    complete_lines = log.splitlines()[: log.count("\n")]
    events = [json.loads(line) for line in complete_lines if line.startswith("{")]
    return {event["event"]: event["port"] for event in events if "port" in event}
