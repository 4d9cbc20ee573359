"""Whether a command is one that its program knows, with those options: parsed by the program's own parser."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import click
from click.testing import CliRunner
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import dagster_webserver

from bnpl_features.cli.main import commands
from tests.deploy.tools import ROOT

HOME = "/opt/dagster"
"""Dagster's home in a container: what lies there comes from the repository, under the same name."""

PROGRAMS: dict[str, click.Command] = {
    "bnpl-features": commands,
    "dagster": create_dagster_cli(),
    "dagster-daemon": create_dagster_daemon_cli(),
    "dagster-webserver": dagster_webserver,
}


def parse(words: Sequence[str]) -> None:
    """Raises click's error for a command or an option that there is not; runs nothing."""
    program, *arguments = [word.replace(HOME, str(ROOT)) for word in words]
    command = PROGRAMS[program]
    asked_for = "what is asked for\n" * 2
    with suppress(click.exceptions.Exit), CliRunner().isolation(input=asked_for):  # --version, --help
        context = command.make_context(program, list(arguments))
        while isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            name, found, arguments = command.resolve_command(context, rest)
            assert found is not None
            command = found
            context = command.make_context(name, list(arguments), parent=context)
