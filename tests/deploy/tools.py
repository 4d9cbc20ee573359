"""The tools that deploy/ is held to, in the virtual environment that `make .venv-deploy/ready` builds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bnpl_features import settings as configuration

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
VENV = ROOT / ".venv-deploy"


def tool(name: str) -> str:
    """The path of a tool; laptops may lack it, CI may not."""
    found = VENV / "bin" / name
    if not found.exists():
        missing = f"{name} is not in {VENV}; run `make .venv-deploy/ready`"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return str(found)


def said(name: str, *arguments: str | Path, given: str | None = None) -> str:
    """What a tool prints when it finds nothing wrong; its objections are the test's."""
    done = subprocess.run([tool(name), *map(str, arguments)], capture_output=True, text=True, input=given)
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout


def without_instance_settings(text: str) -> dict[str, Any]:
    """What a deployment's dagster.yaml adds to the one in the root."""
    read: dict[str, Any] = yaml.safe_load(text)
    shared = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert {name: read.get(name) for name in shared} == shared, "not the settings of dagster.yaml"
    return {name: value for name, value in read.items() if name not in shared}


def unknown_settings(names: set[str]) -> set[str]:
    """Which of the variables of this project it does not read."""
    ours = {name for name in names if name.startswith("BNPL_") and not name.startswith("BNPL_COLUMN_")}
    return ours - set(configuration.VARIABLES)
