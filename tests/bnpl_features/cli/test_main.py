"""What holds for every command: help with an example, wrong settings, an entry point that scripts can rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bnpl_features import __version__
from bnpl_features.cli.main import commands as main
from bnpl_features.cli.output import moment, print_json
from tests.bnpl_features.cli.conftest import CommandLine

COMMANDS = sorted(main.commands)
THAT_READ_SETTINGS = {
    "simulate": ("--customers", "5"),
    "load": ("nothing.csv",),
    "run": (),
    "backfill": ("--from", "2026-03-01", "--to", "2026-03-02"),
    "up": ("--port", "45123"),
    "get": ("someone",),
    "customer": ("someone",),
    "versions": (),
    "activate": ("1", "--reason", "x"),
    "rollback": ("--reason", "x"),
    "retire": ("1", "--reason", "x"),
    "erase": ("someone", "--reason", "x"),
    "readmit": ("someone", "--reason", "x"),
    "erasures": (),
    "capacity": ("--customers", "5"),
    "train": (),
    "evaluate": (),
    "models": (),
    "drift": (),
    "drift-reference": (),
    "drift-map": (),
    "drift-distribution": ("volume", "txn_count_7d"),
    "promote": ("behavioural", "--reason", "x"),
    "plan": (),
    "serve": (),
    "doctor": (),
    "console": ("--development",),
    "audit": (),
    "overview": (),
    "simulate-day": (),
    "serving": (),
    "metrics": (),
    "demo": (),
    "demo-drift": (),
    "retraining": (),
    "test-alert": (),
    "stream": ("lag",),
    "catalogue": (),
    "feast": ("export", "repository"),
    "training-set": ("export", "latest", "training.parquet"),
}


def test_the_commands_are_these() -> None:
    others = {"features", "api-key", "console-user", "experiments", "sets", "store-users", "stream", "completion"}

    assert sorted({*THAT_READ_SETTINGS, *others}) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_and_explains_every_option(name: str) -> None:
    text = CliRunner().invoke(main, [name, "--help"]).stdout

    assert "Example" in text
    assert f"bnpl-features {name}" in text.partition("Example")[2]
    options = [option for option in main.commands[name].params if isinstance(option, click.Option)]
    assert all(option.help for option in options)


def test_the_first_help_lists_every_command() -> None:
    text = CliRunner().invoke(main, ["-h"]).stdout

    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(THAT_READ_SETTINGS))
def test_a_wrong_setting_ends_with_2_and_is_named(name: str, cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    (cli.folder / "bnpl-features.toml").write_text("[warehouse]\nenginee = 'duckdb'\n")
    if name in ("run", "backfill", "up"):
        for file in ("workspace.yaml", "definitions.py", "dagster.yaml"):
            (cli.folder / file).touch()

    result = cli(name, *THAT_READ_SETTINGS[name])

    assert result.exit_code == 2
    assert "settings section [warehouse] has unknown keys: enginee; did you mean 'engine'?" in result.output


def test_the_installed_program_keeps_exit_codes_and_streams_apart(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("bnpl-features")
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *words], capture_output=True, text=True, cwd=tmp_path, env=environment)

    version, wrong, down = call("--version"), call("run", "--from", "2026-01-01"), call("versions", "--json")

    assert (version.returncode, version.stdout.strip()) == (0, f"bnpl-features, version {__version__}")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert (down.returncode, down.stdout) == (4, "")
    assert "cannot reach the store at redis://127.0.0.1:1/0" in down.stderr
    assert "Traceback" not in wrong.stderr + down.stderr


def test_moments_are_utc() -> None:
    assert moment(0) == "1970-01-01 00:00:00"


def test_what_json_cannot_say_is_an_error() -> None:
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        print_json({"x": object()})
