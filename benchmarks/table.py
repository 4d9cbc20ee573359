"""How a benchmark prints its figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bnpl_features.cli.page_section import renew_section

_console = Console(width=140)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(title=title, title_justify="left", caption=machine(), caption_justify="left")
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(str, row))
    _console.print(table)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write_section(page: Path, command: str, text: str) -> None:
    """Put `text`, and what the machine is, between the page's marks for the command."""
    begin, end = f"<!-- written by `{command}` -->", f"<!-- end of `{command}` -->"
    renew_section(page, begin, end, f"\n{text}\n\n{machine()}.\n\n")


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
