"""Container images: what hadolint says, who runs in them, what is copied. They are built for real by a drill."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib

import pytest

from tests.deploy.commands import parse
from tests.deploy.tools import DEPLOY, ROOT, said

DOCKERFILE = DEPLOY / "images" / "Dockerfile"
IMAGES = ["serving", "stream", "pipeline"]


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the file and what follows it, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2]) for line in text.splitlines() if line.strip()]


def stage(name: str) -> dict[str, str]:
    """The last instruction of each kind in a stage and in those that it is made from."""
    found: dict[str, str] = {}
    parents: dict[str, str] = {}
    now = ""
    stages: dict[str, dict[str, str]] = {}
    for instruction, rest in instructions():
        if instruction == "FROM":
            parent, _, now = rest.partition(" AS ")
            parents[now], stages[now] = parent, {}
        elif now:
            stages[now][instruction] = rest
    while name in stages:
        found = {**stages[name], **found}
        name = parents[name]
    return found


def test_hadolint_has_no_objection() -> None:
    assert said("hadolint", DOCKERFILE) == ""


@pytest.mark.parametrize("image", IMAGES)
def test_nobody_in_an_image_is_root(image: str) -> None:
    assert stage(image)["USER"] == "10001:10001"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_when_its_process_is_healthy(image: str) -> None:
    command = json.loads(stage(image)["HEALTHCHECK"].partition("CMD ")[2])

    if command[0] == "python":
        assert (DOCKERFILE.parent / command[1].rpartition("/")[2]).exists()
    else:
        parse(command)


@pytest.mark.parametrize("image", IMAGES)
def test_what_an_image_starts_by_itself_exists(image: str) -> None:
    parse(json.loads(stage(image).get("ENTRYPOINT", "[]")) + json.loads(stage(image)["CMD"]))


def test_every_extra_that_is_installed_exists_and_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    installed = re.findall(r"--extra (\S+)", DOCKERFILE.read_text())

    assert set(installed) <= set(extras)
    pins = (ROOT / "constraints.txt").read_text()
    for name in installed:
        for requirement in extras[name]:
            package = re.split(r"[\[<>=; ]", requirement)[0]
            assert package == "bnpl-features" or re.search(rf"^{package}==", pins, re.MULTILINE), requirement


def test_what_is_copied_is_let_into_the_build_and_nothing_else_is() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = [rest.split()[:-1] for instruction, rest in instructions() if instruction == "COPY"]
    copied = {source for sources in copies for source in sources if not sources[0].startswith("--from")}

    assert copied == allowed
    assert all((ROOT / name).exists() for name in allowed)
    assert not any(fnmatch.fnmatch(name, "*.env*") for name in allowed)


def test_the_base_is_one_version() -> None:
    [base] = re.findall(r"^ARG PYTHON=(\S+)", DOCKERFILE.read_text(), re.MULTILINE)

    assert re.fullmatch(r"python:3\.1[123]\.\d+-slim-\w+", base)
