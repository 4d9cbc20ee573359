"""`bnpl-features run` and `up`, in processes of their own on the real Dagster graph, and what they refuse."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest

from bnpl_features.cli import pipeline
from bnpl_features.derive.query import Query
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.store.shop import free_port

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = str(Path(sys.executable).with_name("bnpl-features"))
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
BEFORE = YESTERDAY - timedelta(days=1)
MARK = "BNPL_TEST_MARK"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A deployment in a folder, on the embedded store; its processes carry a mark of their own."""
    inherited = {name: value for name, value in os.environ.items() if name != "REDIS_URL" and name[:5] != "BNPL_"}
    return inherited | {
        "BNPL_WAREHOUSE_FOLDER": str(tmp_path / "warehouse"),
        "BNPL_STORE_FOLDER": str(tmp_path / "store"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        MARK: secrets.token_hex(8),
    }


def call(environment: dict[str, str], *words: str, code: int = 0) -> str:
    ended = subprocess.run([PROGRAM, *words], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.stdout + ended.stderr if code else ended.stdout


def alive(environment: dict[str, str]) -> list[str]:
    """The command lines of processes that carry the mark."""
    mark = f"{MARK}={environment[MARK]}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def customer_of(environment: dict[str, str]) -> str:
    """One who bought."""
    one = Query("SELECT MIN(customer_id) FROM transactions WHERE status = 'completed'", {})
    (batch,) = DuckDBWarehouse(Path(environment["BNPL_WAREHOUSE_FOLDER"])).read(one, {})
    return str(batch.column(0)[0])


def test_of_a_range_the_last_day_is_published(environment: dict[str, str]) -> None:
    call(environment, "simulate", "--customers", "300", "--days", "120")

    days = call(environment, "run", "--from", str(BEFORE), "--to", str(YESTERDAY))

    assert f"{BEFORE} succeeded" in days
    assert f"{YESTERDAY} succeeded" in days
    listed = json.loads(call(environment, "versions", "--json"))["versions"]
    assert [(v["partition_date"], v["state"]) for v in listed] == [(str(YESTERDAY), "active")]
    answer = json.loads(call(environment, "get", customer_of(environment), "--json"))
    assert (answer["status"], answer["partition_date"]) == ("fresh", str(YESTERDAY))
    assert alive(environment) == []


def test_a_run_that_fails_ends_with_5_and_a_day_before_the_first_partition_with_2(environment: dict[str, str]) -> None:
    (Path(environment["BNPL_WAREHOUSE_FOLDER"])).mkdir()

    failed = call(environment, "run", "--partition", str(YESTERDAY), code=5)
    unknown = call(environment, "run", "--partition", "1990-01-01", code=2)

    assert f"{YESTERDAY} failed" in failed
    assert "transactions" in failed
    assert f"there is no partition '1990-01-01': choose from 2024-01-01 to {YESTERDAY}" in unknown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "2026-01-01"), "give --partition, or both --from and --to"),
        (("--to", "2026-01-01"), "give --partition, or both --from and --to"),
        (("--partition", "2026-01-01", "--from", "2026-01-01", "--to", "2026-01-02"), "give --partition, or both"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "--from 2026-01-02 is after --to 2026-01-01"),
        (("--partition", "2999-01-01"), f"2999-01-01 is not over yet: the newest partition is {YESTERDAY}"),
        (("--from", "2026-01-01", "--to", "2999-01-01"), "2999-01-01 is not over yet"),
        (("--publish-each", "--no-publish"), "exclude each other"),
        (("--partition", "01.02.2026"), "does not match the format"),
    ],
)
def test_senseless_days_are_wrong_usage(words: tuple[str, ...], says: str, cli: CommandLine) -> None:
    assert says in cli.refused("run", *words)


def test_outside_a_clone_the_message_says_where_to_go(cli: CommandLine) -> None:
    assert "run this inside a clone of the repository" in cli.refused("run")


def test_what_is_relative_to_the_users_folder_stays_so_for_the_code_location(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("workspace.yaml", "definitions.py", "dagster.yaml"):
        (cli.folder / file).touch()
    below = cli.folder / "below"
    below.mkdir()
    (below / "bnpl-features.toml").write_text("[store]\nfolder = 'store-of-mine'\n")
    monkeypatch.chdir(below)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("BNPL_WAREHOUSE_FOLDER", "data")

    variables = pipeline.environment()

    assert variables["BNPL_WAREHOUSE_FOLDER"] == str(below / "data")
    assert variables["BNPL_STORE_FOLDER"] == str(below / "store-of-mine")
    assert variables["BNPL_SETTINGS"] == str(below / "bnpl-features.toml")
    assert variables["DAGSTER_HOME"] == str(cli.folder / ".bnpl" / "dagster")
    assert (cli.folder / ".bnpl" / "dagster" / "dagster.yaml").exists()


@pytest.mark.parametrize(
    ("words", "launched"),
    [
        ((), [("checked_features", ["2026-01-01", "2026-01-02"]), ("daily_features", ["2026-01-03"])]),
        (("--publish-each",), [("daily_features", ["2026-01-01", "2026-01-02", "2026-01-03"])]),
        (("--no-publish",), [("checked_features", ["2026-01-01", "2026-01-02", "2026-01-03"])]),
    ],
)
def test_which_days_of_a_range_are_published(
    words: tuple[str, ...],
    launched: list[tuple[str, list[str]]],
    cli: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr(pipeline, "launch", lambda job, days, tags: asked.append((job, days)) or 0)

    cli.done("run", "--from", "2026-01-01", "--to", "2026-01-03", *words)

    assert asked == launched


def test_an_override_goes_with_its_reason_and_a_failure_ends_the_range(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(pipeline, "launch", lambda job, days, tags: asked.append(tags) or 5)

    result = cli("run", "--from", "2026-01-01", "--to", "2026-01-03", "--override-drift", "a campaign")

    assert result.exit_code == 5
    assert [tags[pipeline.OVERRIDE_TAG] for tags in asked] == ["a campaign"]


def test_up_refuses_a_port_in_use(cli: CommandLine) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert f"port {port} is in use; choose another with --port" in cli.refused(
            "up", "--dagster-only", "--port", str(port)
        )


def test_up_serves_until_it_is_told_to_stop_and_leaves_no_process_behind(environment: dict[str, str]) -> None:
    ports = {"--port": free_port(), "--console-port": free_port(), "--service-port": free_port()}
    words = [word for option, port in ports.items() for word in (option, str(port))]
    output = Path(environment["DAGSTER_HOME"]).with_name("up.log")
    with output.open("wb") as log:
        process = subprocess.Popen([PROGRAM, "up", *words], env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        paths = {"--port": "server_info", "--console-port": "sign-in", "--service-port": "healthz"}
        for option, port in ports.items():
            _wait_for(f"http://127.0.0.1:{port}/{paths[option]}", process)
        assert len(alive(environment)) > 2
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()

    deadline = time.monotonic() + 5
    while alive(environment) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(environment) == [], output.read_text()
    assert "Traceback" not in output.read_text()


def test_up_stopped_before_dagster_runs_leaves_no_store_behind(environment: dict[str, str]) -> None:
    process = subprocess.Popen([PROGRAM, "up", "--dagster-only", "--port", str(free_port())], env=environment, cwd=ROOT)
    try:
        deadline = time.monotonic() + 20
        while not (Path(environment["BNPL_STORE_FOLDER"]) / "url").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert not [command for command in alive(environment) if "valkey" in command]


def _wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=2) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} did not answer; exit code {process.poll()}")
