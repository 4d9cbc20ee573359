"""The page of all commands, from the commands themselves.

python -m bnpl_features.cli.reference docs/commands.md
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bnpl_features.cli.main import commands

_PROGRAM = "bnpl-features"


def commands_page() -> str:
    """Markdown: each command's purpose, an example, its arguments and options."""
    lines = [
        "# Commands",
        "",
        "Written by `make docs` from the commands. [Exit codes](operations.md#doctor-and-exit-codes) are shared;",
        "settings come from a [file and the environment](settings.md).",
    ]
    for words, command in _leaves(commands, (_PROGRAM,)):
        lines += ["", f"## {' '.join(words[1:])}", "", *_described(command)]
        rows = [row for parameter in command.params if (row := _row(parameter))]
        if rows:
            lines += ["", "| | default | |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _leaves(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _leaves(command, (*words, name))
        else:
            yield (*words, name), command


def _described(command: click.Command) -> list[str]:
    """The help's paragraphs; its examples as code."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(command.help or "").replace("\b", "").split("\n\n"):
        words, example, commands_shown = paragraph.strip().partition("Example")
        if example and not words:
            shown = [line.strip() for line in commands_shown.partition(":")[2].strip().splitlines()]
            lines += ["", "```sh", *shown, "```"]
        else:
            lines += ["", " ".join(paragraph.split())]
    return lines[1:]


def _row(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return f"| `{parameter.make_metavar(click.Context(commands))}` | | |"
    assert isinstance(parameter, click.Option)
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    shown = parameter.show_default and parameter.default is not None and not parameter.is_flag
    required = "required" if parameter.required else ""
    default = f"`{parameter.default}`" if shown else required
    return f"| {names} | {default} | {(parameter.help or '').replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(commands_page())
