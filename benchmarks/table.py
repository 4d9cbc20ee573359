"""How a benchmark prints its figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

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


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
