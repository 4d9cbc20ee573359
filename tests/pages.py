"""The documentation's pages and their blocks of code; how a block is written says what it is.

A fence names a language of `LANGUAGES`. What is indented instead is shell that needs what is not here, of which
`NOT_HERE` says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
GUIDES = sorted(
    [ROOT / "docs" / "tutorial.md", *(ROOT / "docs" / "how-to").glob("*.md")],
    key=lambda page: (page.stem != "tutorial", page.stem == "your-own-feature", page.stem),
)
"""In the order in which they are run: the tutorial makes what the others need, the feature changes the code."""

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n)+(?:\n(?: {4}.*\n)+)*", re.MULTILINE)

LANGUAGES: Mapping[str, str] = {
    "sh": "read by bash, each command by its program's own parser; run in a guide, and in a runbook of an alert",
    "python": "run",
    "toml": "read as settings, or as a table of prices",
    "sql": "parsed as BigQuery's",
    "mermaid": "a diagram",
    "text": "output, or a sketch; holds no command",
}
NOT_HERE: Mapping[str, str] = {
    "docker": "a daemon that runs containers",
    "sudo": "root on the host",
    "terraform": "a project on Google Cloud",
    "gcloud": "a project on Google Cloud",
    "kubectl": "a cluster",
    "cp": "a file that has to be filled in before the next step",
    "mkdir": "a host's own folder",
    ".venv/bin/bnpl-features": "somebody who types a password",
    ".venv/bin/dagster": "a database of an earlier release",
    ".venv/bin/mlflow": "a database of an earlier release",
    "cd": "the folder of the step after it",
    "*/5": "cron",
    "bnpl-features": "a version that only the experiment before it can justify",
}
"""The programs of indented blocks, and what each of them needs."""


class Block(NamedTuple):
    language: str
    text: str


def fenced(page: Path) -> list[Block]:
    """In order, without the indentation of the list that a block stands in."""
    return [Block(language, dedent(text)) for _, language, text in FENCE.findall(page.read_text())]


def blocks(page: Path, language: str) -> list[str]:
    return [block.text for block in fenced(page) if block.language == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def indented(page: Path) -> list[str]:
    return [dedent(text) for text in _INDENTED.findall(prose(page))]
