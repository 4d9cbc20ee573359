"""The doctor's findings on installations that lack something: each names the thing, the mend and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from bnpl_features.derive.layout import Layout
from bnpl_features.doctor import Finding, Level, examine
from bnpl_features.simulator import Population, simulate
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.readers import announce
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.store.shop import LAYOUT, SECRET, Shop, new_shop
from tests.fleet import cluster

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_store(tmp_path_factory.mktemp("valkey"), "--maxmemory", "500mb") as url:
        yield url


@pytest.fixture
def shop(valkey: str) -> Shop:
    return new_shop(valkey)


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with purchases up to yesterday."""
    folder = tmp_path_factory.mktemp("purchases")
    fill(folder, YESTERDAY)
    return folder


@pytest.fixture
def healthy(shop: Shop, purchases: Path) -> dict[str, str]:
    shop.publish(day=YESTERDAY)
    return {
        "BNPL_WAREHOUSE_FOLDER": str(purchases),
        "REDIS_URL": shop.url,
        "BNPL_NAMESPACE": shop.namespace,
        "BNPL_CUSTOMER_KEY": SECRET.decode(),
    }


@pytest.fixture(autouse=True)
def in_a_folder_without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fill(folder: Path, last_day: date) -> None:
    population = Population(30, last_day - timedelta(days=10), last_day, purchases_per_year=400.0)
    DuckDBWarehouse(folder).upsert_transactions(simulate(population), {})


def found(variables: dict[str, str], subject: str) -> Finding:
    """The last finding about the subject."""
    return [finding for finding in examine(variables) if finding.subject == subject][-1]


def test_where_all_is_well_every_finding_says_so(healthy: dict[str, str]) -> None:
    findings = list(examine(healthy))

    assert {finding.level for finding in findings} == {Level.OK}, findings
    assert [finding.subject for finding in findings] == [
        "settings",
        "customer key",
        "encryption",
        "declarations",
        "warehouse",
        "source",
        "source",
        "store",
        "store settings",
        "store memory",
        "active version",
    ]


def test_wrong_settings_end_the_examination(healthy: dict[str, str]) -> None:
    (finding,) = examine(healthy | {"BNPL_WAREHOUSE": "oracle"})

    assert (finding.level, finding.subject, finding.exit_code) == (Level.FAIL, "settings", 2)
    assert "choose one of duckdb, bigquery" in finding.message


@pytest.mark.parametrize(("key", "says"), [("", "none is set"), ("short", "only 5 bytes")])
def test_a_weak_customer_key_is_a_warning(key: str, says: str, healthy: dict[str, str], shop: Shop) -> None:
    finding = found(healthy | {"BNPL_CUSTOMER_KEY": key, "BNPL_NAMESPACE": "empty"}, "customer key")

    assert finding.level is Level.WARN
    assert finding.message.startswith(says)
    assert "set BNPL_CUSTOMER_KEY to 32 random bytes" in finding.message


def test_another_customer_key_than_the_publishers_fails(healthy: dict[str, str]) -> None:
    finding = found(healthy | {"BNPL_CUSTOMER_KEY": "another secret of thirty-two byt"}, "active version")

    assert (finding.level, finding.exit_code) == (Level.FAIL, 2)
    assert "set BNPL_CUSTOMER_KEY to the publisher's" in finding.message


def test_a_missing_warehouse_fails_and_the_store_is_looked_at_all_the_same(
    healthy: dict[str, str], tmp_path: Path
) -> None:
    variables = healthy | {"BNPL_WAREHOUSE_FOLDER": str(tmp_path / "nowhere")}

    finding = found(variables, "warehouse")

    assert (finding.level, finding.exit_code) == (Level.FAIL, 3)
    assert "run `bnpl-features simulate`" in finding.message
    assert found(variables, "active version").level is Level.OK


def test_a_warehouse_without_purchases_fails(healthy: dict[str, str], tmp_path: Path) -> None:
    finding = found(healthy | {"BNPL_WAREHOUSE_FOLDER": str(tmp_path)}, "warehouse")

    assert (finding.level, finding.exit_code) == (Level.FAIL, 2)
    assert "load purchases" in finding.message


def test_a_table_of_purchases_that_breaks_the_contract_fails(
    healthy: dict[str, str], purchases: Path, tmp_path: Path
) -> None:
    (tmp_path / "orders" / "all").mkdir(parents=True)
    theirs = duckdb.read_parquet(f"{purchases}/transactions/*/data-*.parquet").project("* EXCLUDE (amount)")
    theirs.write_parquet(str(tmp_path / "orders" / "all" / "data.parquet"))

    finding = found(healthy | {"BNPL_WAREHOUSE_FOLDER": str(tmp_path), "BNPL_TRANSACTIONS": "orders"}, "warehouse")

    assert (finding.level, finding.exit_code) == (Level.FAIL, 2)
    assert "column 'amount' (FLOAT64) is missing" in finding.message


def test_purchases_that_are_long_past_are_a_warning(healthy: dict[str, str], tmp_path: Path) -> None:
    fill(tmp_path / "old", YESTERDAY - timedelta(days=30))

    finding = found(healthy | {"BNPL_WAREHOUSE_FOLDER": str(tmp_path / "old")}, "source")

    assert finding.level is Level.WARN
    assert "no purchases in the last 7 days" in finding.message


def test_a_store_that_is_down_fails_with_4(healthy: dict[str, str]) -> None:
    finding = found(healthy | {"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "store")

    assert (finding.level, finding.exit_code) == (Level.FAIL, 4)
    assert "redis://:***@127.0.0.1:1/0" in finding.message


def test_a_server_setting_that_would_cost_memory_fails(healthy: dict[str, str], tmp_path: Path) -> None:
    with embedded_store(tmp_path / "server", "--hash-max-listpack-value", "8") as url:
        finding = found(healthy | {"REDIS_URL": url}, "store")

    assert (finding.level, finding.exit_code) == (Level.FAIL, 4)
    assert "listpack" in finding.message


def test_a_cluster_that_answers_nobody_during_a_failover_is_a_warning(healthy: dict[str, str], tmp_path: Path) -> None:
    with cluster(tmp_path / "servers") as fleet:
        strict = found(healthy | {"REDIS_URL": fleet.url}, "store failover")
        for member in fleet.members:
            member.client.config_set("cluster-require-full-coverage", "no")
        mended = found(healthy | {"REDIS_URL": fleet.url}, "store failover")

    assert strict.level is Level.WARN
    assert "CONFIG SET cluster-require-full-coverage no" in strict.message
    assert mended.level is Level.OK


def test_a_server_without_a_memory_limit_is_a_warning(healthy: dict[str, str], tmp_path: Path) -> None:
    with embedded_store(tmp_path / "server") as url:
        finding = found(healthy | {"REDIS_URL": url}, "store memory")

    assert finding.level is Level.WARN
    assert "no maxmemory: set one in production" in finding.message


def test_nothing_published_is_a_warning(healthy: dict[str, str]) -> None:
    finding = found(healthy | {"BNPL_NAMESPACE": "nothing-yet"}, "active version")

    assert finding.level is Level.WARN
    assert "publish with `bnpl-features run`" in finding.message


def test_a_stale_version_is_a_warning(healthy: dict[str, str], valkey: str) -> None:
    stale = new_shop(valkey)
    stale.publish(day=date(2024, 3, 1))

    finding = found(healthy | {"BNPL_NAMESPACE": stale.namespace}, "active version")

    assert finding.level is Level.WARN
    assert "serves 2024-03-01, which is stale" in finding.message


def test_a_deprecated_set_that_is_still_read_is_a_warning(healthy: dict[str, str], shop: Shop) -> None:
    shop.publish(day=YESTERDAY, deprecated_on=YESTERDAY)
    shop.publish(day=YESTERDAY, layout=Layout("behavioural@2", LAYOUT.fields))
    announce(shop.client, shop.keyspace, ["behavioural@1"])

    found = {finding.subject: finding for finding in examine(healthy)}

    assert found["feature set behavioural@1"].level is Level.WARN
    assert f"deprecated on {YESTERDAY}, but 1 readers read it" in found["feature set behavioural@1"].message
    assert found["feature set behavioural@2"].level is Level.OK
