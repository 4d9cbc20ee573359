"""What the console's first pages show, on the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnpl_features.console.access.local_users import read_users, signed_in
from bnpl_features.errors import StoreUnavailable
from bnpl_features.store.audit import record_act
from bnpl_features.store.connection import connect
from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.scoring.counter import PROGRAM, running
from tests.bnpl_features.store.shop import free_port, wait_until

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def test_the_audit_trail_is_narrowed_and_goes_on_where_it_ended(cli: CommandLine) -> None:
    for number in range(5):
        act = {"act": "look" if number % 2 else "sign in", "actor": "ana", "reason": f"case {number}"}
        record_act(cli.shop.client, cli.shop.keyspace, **act)

    first = cli.json("audit", "--act", "sign in", "--count", "2")
    assert [one["reason"] for one in first["acts"]] == ["case 4", "case 2"]
    rest = cli.json("audit", "--act", "sign in", "--before", first["older"])
    assert [one["reason"] for one in rest["acts"]] == ["case 0"]
    assert "case 3" in cli.done("audit", "--actor", "ana", "--words", "CASE 3")


def test_the_overview_ends_with_1_where_something_is_wrong(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.shop.publish(300, YESTERDAY)
    (tmp_path / "warehouse").mkdir()
    monkeypatch.setenv("BNPL_CONSOLE_SERVICE_URL", "http://127.0.0.1:9")

    result = cli("overview")

    assert result.exit_code == 1
    assert "the prediction service at http://127.0.0.1:9 does not answer" in result.stdout
    assert str(YESTERDAY) in result.stdout

    with running(tmp_path / "service", cli.shop.url, cli.shop.namespace) as service:
        monkeypatch.setenv("BNPL_CONSOLE_SERVICE_URL", service.url)
        found = cli.json("overview", "--seconds", "0.1")
        assert found["level"] == "ok"
        assert {"behavioural@1", "Store memory", "Predictions"} <= {one["name"] for one in found["signals"]}
        served = cli.json("serving", "--seconds", "0.1")
        assert served["served_version"] == 1
        assert served["requests_per_second"] == 0.0


def test_a_user_is_made_whose_password_only_its_hash_remembers(cli: CommandLine) -> None:
    password = "twelve or more characters"
    cli.done("console-user", "ana", "--role", "operator", "--file", "users", "--password", password)

    users = read_users(cli.folder / "users")

    assert password not in (cli.folder / "users").read_text()
    assert (cli.folder / "users").stat().st_mode & 0o077 == 0
    found = signed_in(users, "ana", password)
    assert found is not None
    assert found.role.word == "operator"
    assert signed_in(users, "ana", "something else") is None
    assert "too short" in cli.refused("console-user", "eve", "--password", "short")


def test_the_console_does_not_start_where_nobody_could_sign_in(cli: CommandLine) -> None:
    assert "nobody could sign in" in cli.refused("console")
    assert "--host 127.0.0.1" in cli.refused("console", "--development", "--host", "0.0.0.0")


def test_the_console_is_not_served_unencrypted_to_other_machines(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.done("console-user", "ana", "--file", "users", "--password", "twelve or more characters")
    monkeypatch.setenv("BNPL_CONSOLE_USERS_FILE", "users")

    assert "set console.public_url to the https address" in cli.refused("console", "--host", "0.0.0.0")


def test_the_console_serves_until_it_is_told_to_stop_and_takes_its_store_along(tmp_path: Path) -> None:
    variables = {f"BNPL_{name}_FOLDER": str(tmp_path / name.lower()) for name in ("STORE", "WAREHOUSE", "MODEL")}
    variables |= {"BNPL_NAMESPACE": "own", "BNPL_CONSOLE_SERVICE_URL": "http://127.0.0.1:9"}
    environment = {name: text for name, text in os.environ.items() if name != "REDIS_URL"} | variables
    port = free_port()
    words = [PROGRAM, "console", "--development", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"console at http://127.0.0.1:{port}")
        assert "sign in as viewer, operator, admin with the password" in process.stdout.readline()
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/health"), "the console answers", 20)
        store = (tmp_path / "store" / "url").read_text()

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=20) == 0
    with pytest.raises(StoreUnavailable):
        connect(store)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as found:
            return bool(found.status == 200)
    except OSError:
        return False
