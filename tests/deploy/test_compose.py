"""Compose for one host: its schema, the commands it starts, the settings it gives, the files it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bnpl_features.console.access.configured import access_of
from bnpl_features.console.access.local_users import user_line
from bnpl_features.console.access.roles import Role
from bnpl_features.settings import load_settings
from tests.deploy.commands import PROGRAMS, parse
from tests.deploy.tools import DEPLOY, said, unknown_settings, without_instance_settings

FOLDER = DEPLOY / "compose"
FILE = FOLDER / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
OURS = {name: one for name, one in COMPOSE["services"].items() if "bnpl-features/" in one["image"]}

SECRETS = ("POSTGRES_PASSWORD", "BNPL_CUSTOMER_KEY", "CONSOLE_SESSION_KEY")

services = pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"])
ours = pytest.mark.parametrize("service", OURS.values(), ids=OURS)


def test_it_is_what_the_compose_specification_says() -> None:
    assert "ok" in said("check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)


def test_there_is_every_process_of_the_system() -> None:
    assert set(OURS) == {"code", "webserver", "daemon", "scoring", "stream", "console"}


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
    for name in SECRETS:
        used = re.findall(rf"\$\{{{name}([^}}]*)\}}", FILE.read_text())
        assert used
        assert set(used) == {":?in .env"}
    given = dict(line.split("=", 1) for line in (FOLDER / "example.env").read_text().splitlines() if "=" in line)
    assert not "".join(given[name] for name in SECRETS)


def test_files_that_are_mounted_exist() -> None:
    for one in COMPOSE["configs"].values():
        assert (FOLDER / one["file"]).exists()


def test_the_console_starts_for_whoever_stands_in_its_folder_of_users(tmp_path: Path) -> None:
    console = OURS["console"]
    [users] = [one for one in console["volumes"] if isinstance(one, dict)]
    given = {name: value for name, value in console["environment"].items() if name.startswith("BNPL_CONSOLE_")}
    file = tmp_path / given["BNPL_CONSOLE_USERS_FILE"].removeprefix(f"{users['target']}/")
    file.write_text(user_line("ana", Role.OPERATOR, "a long password") + "\n")
    given |= {"BNPL_CONSOLE_SESSION_KEY": "k" * 32, "BNPL_CONSOLE_USERS_FILE": str(file)}
    given = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in given.items()}

    access = access_of(load_settings(given).console)

    assert set(access.local_users()) == {"ana"}
    assert "127.0.0.1" in access.host_names, "its health check asks by this name"
    assert users["read_only"] is True
    assert users["bind"]["create_host_path"] is False


def test_the_console_asks_services_that_there_are() -> None:
    asked = urlsplit(OURS["console"]["environment"]["BNPL_CONSOLE_SERVICE_URL"])

    assert str(asked.port) in OURS[str(asked.hostname)]["command"]


def test_the_instance_is_that_of_the_repository_with_postgres() -> None:
    added = without_instance_settings((FOLDER / "dagster.yaml").read_text())

    assert added["storage"] == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert set(added) == {"storage", "compute_logs", "local_artifact_storage"}
    assert all("DAGSTER_POSTGRES_URL" in OURS[name]["environment"] for name in ("code", "webserver", "daemon"))


def test_dagster_finds_the_code_server() -> None:
    [server] = [one["grpc_server"] for one in yaml.safe_load((FOLDER / "workspace.yaml").read_text())["load_from"]]
    command = shlex.join(OURS[server["host"]]["command"])

    assert f"-p {server['port']}" in command
