"""Every example of the documentation works: Python is run, shell is held to the programs' own parsers.

The tutorial and the how-to guides are programs of their own, run whole by tests/drills/test_documentation.py; the
runbooks' commands by tests/deploy/test_live.py. What other kinds of block there are: tests/test_blocks.py.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bnpl_features.cli.reference import commands_page
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.risk_model.registry import CHAMPION, open_registry, register
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.load import load
from bnpl_features.warehouse.transactions import Source
from tests.bnpl_features.scoring.checkout import model, purchase
from tests.deploy.commands import PROGRAMS, parse
from tests.edge_cases import edge_case_transactions
from tests.pages import GUIDES, PAGES, ROOT, blocks
from tests.test_docs import demo_store

__all__ = ["demo_store"]

ELSEWHERE = {"docs/interoperability.md": "runs where Feast is: tests/bnpl_features/interop/test_feast.py"}
STORE = "redis://127.0.0.1:6379/0"
STANDS_FOR = {
    **dict.fromkeys(("$DAY", "$FIRST", "$LAST", "$FROM", "$TO"), "2026-11-20"),
    "$RETAINED": "1",
    "behavioural@3": "behavioural@2",  # a guide declares it
}
"""What is put in the place of a shell's variables, so that options of a kind get a value of that kind."""

EXAMPLES = [
    pytest.param(page, example, id=f"{page.relative_to(ROOT)} {number}")
    for page in PAGES
    if page not in GUIDES and page != ROOT / "README.md" and str(page.relative_to(ROOT)) not in ELSEWHERE
    for number, example in enumerate(blocks(page, "python"), 1)
]


def in_hand(page: Path, url: str, folder: Path) -> Mapping[str, object]:
    """The names that a page's example takes for granted."""
    if page.name == "risk-model.md":
        registry = open_registry("", folder / ".bnpl" / "models")
        version = register(registry, model())
        registry.client.set_registered_model_alias(
            registry.registered_name(version.name), CHAMPION, str(version.number)
        )
        with CustomerFeatureStore(url, budget_seconds=2.0) as reader:
            answer = reader.get("cust_0000001")
        return {"layout": layout_of(BEHAVIOURAL), "answer": answer, "purchase": purchase()}
    if page.name == "source.md":
        (folder / "purchases").mkdir()
        (folder / "warehouse").mkdir()
        rows = edge_case_transactions().to_pandas().rename(columns={"amount": "order_total"})
        rows.to_parquet(folder / "purchases" / "some.parquet")
        warehouse = DuckDBWarehouse(folder / "warehouse")
        return {"warehouse": warehouse, "load": load, "Source": Source, "datetime": datetime, "UTC": UTC}
    return {}


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_every_python_example_runs(
    page: Path, example: str, demo_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example", **in_hand(page, demo_store, tmp_path)}
    given = set(names)

    exec(compile(example.replace(STORE, demo_store), str(page), "exec"), names)

    for name, made in list(names.items()):
        if name not in given and getattr(made, "__module__", "") == "example":
            assert re.search(rf"def {name}\(url: str\)", example) or "asyncio.run" in example
            if f"def {name}(url: str)" in example:
                made(demo_store)


def commands_in(block: str) -> Iterator[list[str]]:
    """The words of each command of ours in a block of shell."""
    joined = re.sub(r"\\\n", " ", block)
    for line in re.sub(r"<<'EOF'.*?^EOF$", "", joined, flags=re.MULTILINE | re.DOTALL).splitlines():
        line = re.sub(r"\$\(date[^)]*\)", "2026-11-20", line)
        for name, value in STANDS_FOR.items():
            line = line.replace(name, value)
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split, lexer.commenters = True, "#"
        try:
            words = list(lexer)
        except ValueError:  # a quotation that goes on in the next line; bash has judged the block
            continue
        command: list[str] = []
        for word in [*words, ";"]:
            if re.fullmatch(r"[|&;<>]+", word):
                while command and re.fullmatch(r"\w+=.*", command[0]):
                    del command[0]
                if command and command[0].removeprefix(".venv/bin/") in PROGRAMS:
                    yield [command[0].removeprefix(".venv/bin/"), *command[1:]]
                command = []
            else:
                command.append(word)


SHELL = [
    pytest.param(block, id=f"{page.relative_to(ROOT)} {number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "sh"), 1)
]


@pytest.mark.parametrize("block", SHELL)
def test_every_shell_example_would_be_accepted_by_the_programs_that_it_names(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: "what is asked for")
    read = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
    assert read.returncode == 0, read.stderr

    for words in commands_in(block):
        # A file that the reader has: any that exists.
        parse(
            [__file__ if re.fullmatch(r"FILE|\w+\.(parquet|json|ndjson)|purchases/?", word) else word for word in words]
        )


def test_commands_are_found_in_shell() -> None:
    block = "X=1 .venv/bin/bnpl-features run --from $DAY  # why\nmake test && bnpl-features doctor > out\n"

    assert list(commands_in(block)) == [
        ["bnpl-features", "run", "--from", "2026-11-20"],
        ["bnpl-features", "doctor"],
    ]


def test_the_reference_of_commands_is_the_generated_page() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == commands_page(), "run `make docs`"


def test_the_site_builds_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("mkdocs")

    built = subprocess.run(
        [program, "build", "--strict", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stderr
    pages = {path.relative_to(tmp_path).with_suffix(".md").as_posix() for path in tmp_path.rglob("*.html")}
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page.replace("README.md", "index.md") for page in written} <= pages
    assert {"index.md", "changelog.md", "contributing.md", "decisions/index.md"} <= pages
