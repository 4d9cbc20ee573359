"""`bnpl-features plan` needs no warehouse; with one it measures, and on BigQuery it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.plan.planning import LEAST_BYTES, TIB
from bnpl_features.plan.prices import load_warehouse_prices
from tests.bnpl_features.cli.conftest import CommandLine


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_WAREHOUSE_FOLDER", str(tmp_path / "nothing"))


def test_both_sizes_are_planned_and_each_figure_says_where_it_is_from(cli: CommandLine, elsewhere: None) -> None:
    small, large = cli.json("plan")

    assert (small["size"]["customers"], large["size"]["customers"]) == (10_000_000, 100_000_000)
    assert {one["how"] for one in small["statements"]} == {"computed"}
    billed = [
        sum(one["bytes_billed"] for one in plan["statements"] if one["api"] == "query") for plan in (small, large)
    ]
    assert 5 < billed[1] / billed[0] <= 10, "all but the smallest statements grow with customers"
    assert min(one["bytes_billed"] for one in small["statements"] if one["api"] == "query") == LEAST_BYTES
    usd = load_warehouse_prices().usd_per_tib_scanned
    for one in (one for one in large["statements"] if one["api"] == "query"):
        assert one["usd_on_demand"] == pytest.approx(one["bytes_billed"] / TIB * usd)


def test_twice_the_purchases_are_twice_the_bytes_of_what_reads_purchases(cli: CommandLine, elsewhere: None) -> None:
    few, many = (
        {
            f"{one['step']} {one['purpose']}": one["bytes"]
            for one in cli.json("plan", "--customers", "1000000", "--purchases-per-customer", count)[0]["statements"]
        }
        for count in ("10", "20")
    )

    assert many["feature_volume features"] == pytest.approx(2 * few["feature_volume features"], rel=1e-6)
    assert many["feature_volume profile"] == few["feature_volume profile"]


def test_a_table_has_a_row_a_step_and_names_the_prices(cli: CommandLine, elsewhere: None) -> None:
    printed = cli.done("plan", "--customers", "1000000")

    assert "A day of 1,000,000 customers" in printed
    assert "publication of behavioural@1" in printed
    assert "check before use" in printed


def test_duckdb_has_no_dry_runs_and_says_so(cli: CommandLine) -> None:
    assert "has no dry runs" in cli.refused("plan", "--dry-run", "--day", "2026-03-10", code=2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('as_of = "x"', "must have the keys"),
        ("as_of = ", "not valid TOML"),
    ],
)
def test_a_price_file_that_is_wrong_is_named(cli: CommandLine, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)

    refused = cli.refused("plan", "--prices", str(file))

    assert told in refused
    assert "own.toml" in refused
