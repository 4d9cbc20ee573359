"""Compose for one host: its schema, the commands it starts, the settings it gives, the files it names."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml

from tests.deploy.commands import PROGRAMS, parse
from tests.deploy.tools import DEPLOY, said, unknown_settings, without_instance_settings

FOLDER = DEPLOY / "compose"
FILE = FOLDER / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
OURS = {name: one for name, one in COMPOSE["services"].items() if "bnpl-features/" in one["image"]}

services = pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"])
ours = pytest.mark.parametrize("service", OURS.values(), ids=OURS)


def test_it_is_what_the_compose_specification_says() -> None:
    assert "ok" in said("check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)


def test_there_is_every_process_of_the_system() -> None:
    assert set(OURS) == {"code", "webserver", "daemon", "scoring", "stream"}


@ours
def test_what_a_service_starts_exists(service: dict[str, Any]) -> None:
    words = service["command"]

    parse(words if words[0] in PROGRAMS else ["bnpl-features", *words])


@services
def test_every_service_has_a_health_check(service: dict[str, Any]) -> None:
    # Those of scoring and stream come with their images.
    assert "healthcheck" in service or re.search(r"bnpl-features/(serving|stream):", service["image"])


@ours
def test_no_service_may_write_but_to_its_volume(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


@services
def test_nothing_listens_beyond_this_host(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@ours
def test_settings_that_are_given_exist(service: dict[str, Any]) -> None:
    assert unknown_settings(set(service["environment"])) == set()


def test_no_secret_stands_in_the_file_and_a_missing_one_stops_the_start() -> None:
    for name in ("POSTGRES_PASSWORD", "BNPL_CUSTOMER_KEY"):
        used = re.findall(rf"\$\{{{name}([^}}]*)\}}", FILE.read_text())
        assert used
        assert set(used) == {":?in .env"}
    given = dict(line.split("=", 1) for line in (FOLDER / "example.env").read_text().splitlines() if "=" in line)
    assert not given["POSTGRES_PASSWORD"] + given["BNPL_CUSTOMER_KEY"]


def test_files_that_are_mounted_exist() -> None:
    for one in COMPOSE["configs"].values():
        assert (FOLDER / one["file"]).exists()


def test_the_instance_is_that_of_the_repository_with_postgres() -> None:
    added = without_instance_settings((FOLDER / "dagster.yaml").read_text())

    assert added["storage"] == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert set(added) == {"storage", "compute_logs", "local_artifact_storage"}
    assert all("DAGSTER_POSTGRES_URL" in OURS[name]["environment"] for name in ("code", "webserver", "daemon"))


def test_dagster_finds_the_code_server() -> None:
    [server] = [one["grpc_server"] for one in yaml.safe_load((FOLDER / "workspace.yaml").read_text())["load_from"]]
    command = shlex.join(OURS[server["host"]]["command"])

    assert f"-p {server['port']}" in command
