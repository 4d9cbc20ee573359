"""Dagster and the console as deploy/compose starts them, PostgreSQL beside them, as processes of this machine."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bnpl_features.console.access.local_users import user_line
from bnpl_features.console.access.roles import Role
from tests.bnpl_features.store.shop import free_port, wait_until
from tests.code_location import DAY, PROJECT, CodeLocation, valkey
from tests.deploy.test_compose import FOLDER, OURS
from tests.postgres import postgres, rows

__all__ = ["valkey"]

PROCESSES = ("code", "webserver", "daemon", "console")
LAUNCH = ("dagster", "job", "launch", "-w", "/opt/dagster/workspace.yaml", "-j", "daily_features")
START_SECONDS, RUN_SECONDS = 120.0, 300.0


def here(words: list[str], places: Mapping[str, str]) -> list[str]:
    """A command of a container as one of this machine."""
    for there, place in places.items():
        words = [word.replace(there, place) for word in words]
    program, *arguments = words
    return [str(PROJECT / ".venv" / "bin" / program), *arguments]


@contextmanager
def running(words: list[str], variables: Mapping[str, str], log: Path) -> Iterator[None]:
    process = subprocess.Popen(words, cwd=PROJECT, env=dict(variables), stdout=log.open("wb"), stderr=subprocess.STDOUT)
    try:
        yield
        assert process.poll() is None, log.read_text()[-2000:]
    finally:
        process.terminate()
        process.wait(60)


def succeeds(words: list[str], variables: Mapping[str, str]) -> bool:
    return subprocess.run(words, cwd=PROJECT, env=dict(variables), capture_output=True, check=False).returncode == 0


@pytest.mark.drill
def test_the_daemon_starts_a_run_in_the_code_server_and_postgres_remembers_it(valkey: str, tmp_path: Path) -> None:
    location = CodeLocation(tmp_path, valkey, f"test-{secrets.token_hex(4)}")
    (tmp_path / "warehouse").mkdir()
    location.receive()
    home = tmp_path / "dagster"
    home.mkdir()
    ports = {"4000": str(free_port()), "3000": str(free_port()), "8090": str(free_port())}
    users = tmp_path / "users"
    users.write_text(user_line("ana", Role.OPERATOR, "a long password") + "\n")
    places = {**ports, "0.0.0.0": "127.0.0.1", "/opt/dagster": str(home), "/srv/bnpl-features": str(PROJECT)}
    places |= {"/var/lib/bnpl": str(tmp_path / "data"), "/opt/bnpl/bin/healthy.py": "deploy/images/healthy.py"}
    for name in ("dagster.yaml", "workspace.yaml"):
        text = (FOLDER / name).read_text().replace("host: code", "host: 127.0.0.1")
        for there, place in places.items():
            text = text.replace(there, place)
        (home / name).write_text(text)
    with postgres("dagster") as urls, ExitStack() as stack:
        variables = {**os.environ, **location.variables, "DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"}
        variables["DAGSTER_POSTGRES_URL"] = urls["dagster"]
        variables |= {
            "BNPL_CONSOLE_PUBLIC_URL": f"http://127.0.0.1:{ports['8090']}",
            "BNPL_CONSOLE_SESSION_KEY": secrets.token_urlsafe(32),
            "BNPL_CONSOLE_USERS_FILE": str(users),
        }
        began = time.monotonic()
        for name in PROCESSES:
            command = here(OURS[name]["command"], places)
            stack.enter_context(running(command, variables, tmp_path / f"{name}.log"))
            check = here(OURS[name]["healthcheck"]["test"][1:], places)
            wait_until(lambda check=check: succeeds(check, variables), f"{name} is healthy", START_SECONDS)  # type: ignore[misc]
        healthy = time.monotonic()

        launched = subprocess.run(
            here([*LAUNCH, "--tags", f'{{"dagster/partition": "{DAY}"}}'], places),
            cwd=PROJECT,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert launched.returncode == 0, launched.stdout + launched.stderr
        ended = ("SUCCESS", "FAILURE", "CANCELED")
        wait_until(lambda: rows(urls["dagster"], "SELECT status FROM runs")[0][0] in ended, "the run ends", RUN_SECONDS)

        assert rows(urls["dagster"], "SELECT status FROM runs") == [("SUCCESS",)]
        print(f"healthy after {healthy - began:.0f} s, published {time.monotonic() - healthy:.0f} s later")
    served = location.served()
    assert served is not None
    assert served.partition_date == DAY
