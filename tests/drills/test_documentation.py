"""The tutorial and the how-to guides as programs: a page's blocks are run in order, in a clone, by a newcomer.

Shell is run by bash, Python by the clone's own, TOML is bnpl-features.toml from then on. Blocks of text are output;
what is indented needs more than this machine has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bnpl_features.store.shop import free_port
from tests.pages import GUIDES, ROOT, fenced

PAGE_SECONDS = 1200.0
LEFT_OUT = (".git", ".venv*", ".bnpl", "__pycache__", ".*_cache", ".hypothesis", "site", "dist", "build", "*.egg-info")
SHOWS = {
    "tutorial.md": ["status fresh", "behavioural is the champion (promoted)", '"status":"ready"', '"decision"'],
    "your-own-table.md": ["succeeded in", "status fresh", "orders fits the contract", "succeeded in"],
    "your-own-feature.md": ["impulse_amount_30d", "SUM(IF(", "behavioural@3: is new", "succeeded in", "status fresh"],
    "your-own-model.md": ["behavioural 2 ('challenger',)", "smaller"],
    "one-host.md": ["POSTGRES_PASSWORD="],
    "production.md": ["GiB"],
}
"""What a page's program prints, in that order, beside whatever else."""


def program(page: Path, folder: Path) -> str:
    """A page as one script, so that what a block exports or starts is there for the next."""
    steps = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for number, (language, text) in enumerate(fenced(page)):
        if language == "sh":
            steps.append(text)
        elif language == "python":
            file = folder / f"{page.stem}-{number}.py"
            file.write_text(text)
            steps.append(f".venv/bin/python {file}")
        elif language == "toml":
            file = folder / f"{page.stem}-{number}.toml"
            file.write_text(text)
            steps.append(f"cp {file} bnpl-features.toml")
        else:
            assert language in ("text", "sql", "mermaid"), language
    return "\n".join(steps)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, as a newcomer has it after `make .venv/ready`."""
    folder = tmp_path_factory.mktemp("newcomer") / "bnpl-features"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for name in ("pyproject.toml", "constraints.txt"):
        os.utime(folder / name, (0, 0))  # the environment is ready: make has nothing to do
    return folder


@pytest.mark.drill
@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, clone: Path, tmp_path: Path) -> None:
    settings = {
        name: value for name, value in os.environ.items() if not name.startswith(("BNPL_", "REDIS_", "DAGSTER"))
    }
    # The clone's own library, which a guide changes, before the one that the environment was made for.
    variables = settings | {"PYTHONPATH": str(clone), "PYTHONWARNINGS": "ignore", "COLUMNS": "200"}
    script = program(page, tmp_path).replace("8080", str(free_port()))

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=clone,
        env=variables,
        capture_output=True,
        text=True,
        timeout=PAGE_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rest = done.stdout
    for text in SHOWS[page.name]:
        assert text in rest, f"{text!r} is not shown: {done.stdout[-3000:]}"
        rest = rest.partition(text)[2]


@pytest.mark.drill
def test_every_guide_is_run() -> None:
    assert {page.name for page in GUIDES} == set(SHOWS)
