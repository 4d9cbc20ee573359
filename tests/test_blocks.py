"""Every block of the documentation is of a kind that is held to something: run, parsed, or output without commands."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
import yaml

from tests.deploy.commands import PROGRAMS, parse
from tests.pages import LANGUAGES, NOT_HERE, PAGES, ROOT, blocks, fenced, indented, prose

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

DIAGRAMS = ("flowchart", "sequenceDiagram", "stateDiagram-v2")
OURS = re.compile(r"(?<![\w./-])((?:deploy|docs|benchmarks|bnpl_features)/[\w./-]+)")
DEPLOYMENTS = {
    one["metadata"]["name"]
    for file in (ROOT / "deploy" / "kubernetes" / "base").glob("*.yaml")
    for one in yaml.safe_load_all(file.read_text())
    if one.get("kind") == "Deployment"
}
MADE_ON_THE_WAY = {
    "deploy/compose/.env",
    "deploy/compose/api-keys.txt",
    "deploy/compose/console",
    "deploy/compose/console/users",
}
CALL = re.compile(rf"(?:\.venv/bin/|\$ )?(?:{'|'.join(PROGRAMS)}|make|curl|{'|'.join(map(re.escape, NOT_HERE))}) ")

SHELL = [
    pytest.param(block, id=f"{page.relative_to(ROOT)} {number}")
    for page in PAGES
    for number, block in enumerate(indented(page), 1)
]


@pages
def test_every_fence_says_what_its_block_is(page: Path) -> None:
    assert {block.language for block in fenced(page)} <= LANGUAGES.keys(), "name the language; `text` is for output"
    assert "```" not in prose(page)
    assert "~~~" not in prose(page)


@pages
def test_output_holds_no_command(page: Path) -> None:
    for shown in blocks(page, "text"):
        assert [line for line in shown.splitlines() if CALL.match(line)] == [], "a command belongs into a block of sh"


@pages
def test_every_statement_is_bigquerys(page: Path) -> None:
    for statement in blocks(page, "sql"):
        assert sqlglot.parse_one(statement, read="bigquery").sql()


@pages
def test_every_diagram_is_of_a_kind_that_is_drawn(page: Path) -> None:
    for diagram in blocks(page, "mermaid"):
        assert diagram.split()[0] in DIAGRAMS
        assert diagram.count("(") == diagram.count(")")
        assert diagram.count('"') % 2 == 0


@pytest.mark.parametrize("block", SHELL)
def test_what_needs_another_machine_is_shell_with_files_and_options_that_there_are(block: str) -> None:
    read = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
    assert read.returncode == 0, read.stderr
    for line in re.sub(r"\\\n", " ", block).splitlines():
        assert line.split()[0] in NOT_HERE, "run it in a fenced block, or say in NOT_HERE what it needs"
        words = shlex.split(line.partition("&& ")[2] if line.startswith("*/5") else line, comments=True)
        for call in ours(words):
            parse(call)
        for named in OURS.findall(line):
            if words[0] == "kubectl" and "exec" in words and named.startswith("deploy/"):
                assert named.removeprefix("deploy/") in DEPLOYMENTS
                continue
            assert named in MADE_ON_THE_WAY or (ROOT / named.rstrip(".")).exists(), named
        if words[:2] == ["docker", "build"]:
            stages = re.findall(r" AS (\S+)$", (ROOT / words[words.index("-f") + 1]).read_text(), re.MULTILINE)
            assert words[words.index("--target") + 1] in stages


def ours(words: list[str]) -> Iterator[list[str]]:
    """What is run here or in a container, where that is a program of ours: after `--`, or after a service's name."""
    if "exec" in words:
        words = words[words.index("--" if "--" in words else "exec") + (1 if "--" in words else 2) :]
    if words[0].removeprefix(".venv/bin/") in PROGRAMS:
        end = next((place for place, word in enumerate(words) if re.match(r"[>|&;]", word)), len(words))
        yield [words[0].removeprefix(".venv/bin/"), *words[1:end]]


def test_indented_shell_is_found() -> None:
    assert len(SHELL) > 8
    programs = {line.split()[0] for block in (param.values[0] for param in SHELL) for line in block.splitlines()}
    assert programs <= NOT_HERE.keys()
    assert programs >= {"docker", "terraform", "kubectl"}
