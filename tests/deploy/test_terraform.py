"""Terraform for Google Cloud: its own formatter, the provider's arguments, references, what must hold of security."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from deploy.terraform.schema import FILE, written
from tests.deploy.provider import objections
from tests.deploy.tools import DEPLOY, ROOT, said

FOLDER = DEPLOY / "terraform"
FILES = sorted(FOLDER.glob("*.tf"))


@cache
def parsed() -> list[dict[str, Any]]:
    return [json.loads(said("hcl2tojson", file)) for file in FILES]


def blocks(kind: str) -> Iterator[tuple[str, Any]]:
    """Labels of each block of a kind, joined by dots, and the block."""
    for file in parsed():
        for block in file.get(kind, []):
            names, found = [], block
            while isinstance(found, dict) and "__is_block__" not in found:
                [(name, found)] = found.items()
                names.append(name.strip('"'))
            yield ".".join(names), found


RESOURCES = [
    match["kind"] + "." + match["name"]
    for file in FILES
    for match in re.finditer(r'^resource "(?P<kind>\w+)" "(?P<name>\w+)"', file.read_text(), re.MULTILINE)
]


def resource(name: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(blocks("resource"))[name]
    return found


def code() -> str:
    return "\n".join(re.sub(r"^\s*#.*", "", file.read_text(), flags=re.MULTILINE) for file in FILES)


def test_terraforms_own_formatter_would_change_nothing() -> None:
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("no terraform on this machine, and no package registry that the tests use has it")

    done = subprocess.run([terraform, "fmt", "-check", "-diff", str(FOLDER)], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", RESOURCES)
def test_the_provider_takes_every_argument_and_misses_none(name: str) -> None:
    assert list(objections(name.partition(".")[0], resource(name))) == []


def test_a_wrong_argument_would_be_found() -> None:
    store = resource("google_redis_cluster.store")
    [nested] = store["persistence_config"]
    wrong = {**store, "nodetype": 1, "persistence_config": [{**nested, "modus": 1}]}
    del wrong["shard_count"]

    assert list(objections("google_redis_cluster", wrong)) == [
        "google_redis_cluster: no argument nodetype",
        "google_redis_cluster: shard_count is missing",
        "google_redis_cluster.persistence_config: no argument modus",
    ]


def test_every_variable_is_declared_described_and_used() -> None:
    declared = dict(blocks("variable"))
    used = set(re.findall(r"\bvar\.(\w+)", code()))

    assert used == set(declared)
    assert all("description" in one and "type" in one for one in declared.values())


def test_every_local_and_every_resource_that_is_referred_to_exists() -> None:
    locals_ = {name for file in parsed() for block in file.get("locals", []) for name in block} - {"__is_block__"}
    referred = set(re.findall(r"\b(google_\w+\.\w+)\b", code()))

    assert set(re.findall(r"\blocal\.(\w+)", code())) == locals_
    assert referred <= set(RESOURCES)


def test_the_table_of_purchases_has_the_columns_of_the_contract() -> None:
    assert FILE.read_text() == written(), "run `make docs`"


def test_tables_are_cut_by_day_clustered_by_customer_and_expire() -> None:
    table = resource("google_bigquery_table.transactions")
    [partitioning] = table["time_partitioning"]
    columns = {column["name"] for column in json.loads(FILE.read_text())}

    assert partitioning["type"] == '"DAY"'
    assert {partitioning["field"].strip('"'), "customer_id"} <= columns
    assert table["clustering"] == ['"customer_id"']
    assert partitioning["expiration_ms"] == "${local.kept_ms}"
    assert resource("google_bigquery_dataset.features")["default_partition_expiration_ms"] == "${local.kept_ms}"


def test_the_store_encrypts_asks_who_it_is_and_survives_a_zone() -> None:
    store = resource("google_redis_cluster.store")

    assert store["transit_encryption_mode"] == '"TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"'
    assert store["authorization_mode"] == '"AUTH_MODE_IAM_AUTH"'
    assert store["replica_count"] >= 1
    assert store["zone_distribution_config"][0]["mode"] == '"MULTI_ZONE"'
    assert store["redis_configs"] == {"maxmemory-policy": '"noeviction"'}


def test_what_holds_data_is_not_deleted_by_mistake() -> None:
    assert resource("google_redis_cluster.store")["deletion_protection_enabled"] is True
    assert resource("google_sql_database_instance.postgres")["deletion_protection"] is True
    assert resource("google_bigquery_table.transactions")["deletion_protection"] is True
    assert resource("google_bigquery_dataset.features")["delete_contents_on_destroy"] is False


def test_the_database_has_no_public_address_and_takes_only_encrypted_connections() -> None:
    [settings] = resource("google_sql_database_instance.postgres")["settings"]
    [addresses] = settings["ip_configuration"]

    assert addresses["ipv4_enabled"] is False
    assert addresses["ssl_mode"] == '"ENCRYPTED_ONLY"'
    assert settings["availability_type"] == '"REGIONAL"'


def test_nobody_may_more_than_work_with_what_is_his() -> None:
    granted = set(re.findall(r'"(roles/[\w.]+)"', code()))

    assert granted == {
        "roles/bigquery.jobUser",
        "roles/bigquery.readSessionUser",
        "roles/bigquery.dataEditor",
        "roles/bigquery.dataViewer",
        "roles/redis.dbConnectionUser",
        "roles/secretmanager.secretAccessor",
        "roles/iam.workloadIdentityUser",
    }
    assert re.search(r"allUsers|allAuthenticatedUsers|google_service_account_key", code()) is None


def test_only_the_pipeline_may_write_to_the_warehouse() -> None:
    written = resource("google_bigquery_dataset_iam_member.features")
    read = [resource(f"google_bigquery_dataset_iam_member.{name}") for name in ("features_read", "purchases")]

    assert (written["role"], "pipeline" in written["member"]) == ('"roles/bigquery.dataEditor"', True)
    assert {one["role"] for one in read} == {'"roles/bigquery.dataViewer"'}
    assert code().count("roles/bigquery.dataEditor") == 1


def test_no_secrets_value_is_in_the_state() -> None:
    assert "google_secret_manager_secret_version" not in code()
    assert dict(blocks("variable"))["postgres_password"]["ephemeral"] is True
    assert not re.search(r"\bpassword\s*=", code())


def test_accounts_and_secrets_are_those_that_kubernetes_refers_to() -> None:
    overlay = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "gke" / "identities.yaml").read_text()))
    manifests = "".join(file.read_text() for file in (DEPLOY / "kubernetes" / "base").glob("*.yaml"))
    locals_ = {name: value for file in parsed() for block in file.get("locals", []) for name, value in block.items()}

    pods = {one["metadata"]["name"] for one in overlay}
    secrets = set(re.findall(r"secretRef: \{ name: ([\w-]+) \}|secretName: ([\w-]+)", manifests))

    assert pods == {f"bnpl-{name}" for name in locals_["accounts"]}
    assert {first or second for first, second in secrets} == set(locals_["secrets"])


def test_what_an_alert_says_to_read_exists() -> None:
    for name in re.findall(r"docs/[\w/.-]+\.md", code()):
        assert (ROOT / name).exists(), name
