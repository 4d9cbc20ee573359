"""`bnpl-features capacity` prints the plan, and needs no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.store.capacity import Demand
from tests.bnpl_features.cli.conftest import CommandLine

PRICES = """
as_of = "2026-01"
[[offering]]
provider = "a cloud"
node = "node.large"
region = "here"
usable_gib = 10
usd_per_hour = 0.2
"""


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")


@pytest.fixture
def prices(tmp_path: Path) -> str:
    file = tmp_path / "own.toml"
    file.write_text(PRICES)
    return str(file)


def test_the_tables_name_memory_network_cost_and_the_budget(cli: CommandLine) -> None:
    printed = cli.done("capacity", "--customers", "10000000")

    assert "for 10,000,000 customers" in printed
    assert "2 versions kept" in printed
    assert "1,700 lookups/s" in printed
    assert "check before use" in printed
    assert "Budget of 5,000 USD a month: met, by " in printed


def test_json_holds_the_whole_plan(cli: CommandLine, prices: str) -> None:
    plan = cli.json("capacity", "--customers", "1000000", "--replicas", "2", "--prices", prices)

    assert plan["demand"] == {
        "customers": 1_000_000,
        "versions": 2,
        "replicas": 2,
        "lookups_per_second": Demand.lookups_per_second,
        "publish_seconds": Demand.publish_seconds,
    }
    assert plan["memory"]["needed"] > plan["memory"]["with_staged_version"] == 3 * plan["memory"]["one_version"]
    assert plan["network"]["publication_mbit"] > 0
    (cost,) = plan["costs"]
    assert (cost["offering"]["node"], cost["nodes"], round(cost["usd_per_month"])) == ("node.large", 3, 438)
    assert (plan["prices_as_of"], plan["budget_usd_per_month"], plan["budget_met"]) == ("2026-01", 5_000.0, True)


def test_a_budget_that_is_too_small_is_said_so(cli: CommandLine, prices: str) -> None:
    words = ("capacity", "--customers", "1000000", "--budget", "100", "--prices", prices)

    assert "Budget of 100 USD a month: not met, by a cloud node.large at 292 USD" in cli.done(*words)
    assert cli.json(*words)["budget_met"] is False


def test_versions_follow_the_setting_unless_they_are_given(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_RETAINED_VERSIONS", "3")

    assert cli.json("capacity", "--customers", "5")["demand"]["versions"] == 4
    assert cli.json("capacity", "--customers", "5", "--versions", "1")["demand"]["versions"] == 1


def test_the_setting_names_the_price_file_and_the_option_wins(
    cli: CommandLine, prices: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BNPL_PRICES", prices)
    other = cli.folder / "other.toml"
    other.write_text(PRICES.replace("node.large", "node.other"))

    by_setting = cli.json("capacity", "--customers", "5")
    by_option = cli.json("capacity", "--customers", "5", "--prices", str(other))

    assert by_setting["costs"][0]["offering"]["node"] == "node.large"
    assert by_option["costs"][0]["offering"]["node"] == "node.other"


def test_a_wrong_price_file_ends_with_2_and_names_the_entry(cli: CommandLine, prices: str) -> None:
    Path(prices).write_text(PRICES.replace("0.2", "'cheap'"))

    said = cli.refused("capacity", "--customers", "5", "--prices", prices)

    assert "offering 1 (node.large)" in said
    assert "has usd_per_hour 'cheap'; write a number above 0, without quotes" in said


@pytest.mark.parametrize("words", [(), ("--customers", "0"), ("--customers", "5", "--publish-seconds", "0")])
def test_numbers_that_make_no_plan_are_refused(cli: CommandLine, words: tuple[str, ...]) -> None:
    cli.refused("capacity", *words)
