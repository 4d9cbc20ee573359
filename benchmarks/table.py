"""How a benchmark prints its figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

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


def renew_section(page: Path, command: str, text: str) -> None:
    """Put `text` between the page's marks for the command; raises `ValueError` where it has none."""
    begin, end = f"<!-- written by `{command}` -->\n", f"<!-- end of `{command}` -->\n"
    before, mark, rest = page.read_text().partition(begin)
    _, closing, after = rest.partition(end)
    if not (mark and closing):
        raise ValueError(f"{page} has no section {begin.strip()} ... {end.strip()}")
    page.write_text(f"{before}{begin}\n{text}\n\n{machine()}.\n\n{end}{after}")


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
