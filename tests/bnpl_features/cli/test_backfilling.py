"""`bnpl-features backfill`: what it will read, then one run over the range."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bnpl_features.cli import backfilling
from bnpl_features.simulator import Population, simulate
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.cli.conftest import CommandLine

LAST = date(2026, 3, 10)
RANGE = ("--from", "2026-03-01", "--to", "2026-03-03")
Launched = list[tuple[object, ...]]


@pytest.fixture
def launched(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Launched:
    """What was started, in a folder with purchases of fifty days."""
    (cli.folder / "warehouse").mkdir()
    population = Population(40, LAST - timedelta(days=50), LAST, purchases_per_year=90.0)
    DuckDBWarehouse(cli.folder / "warehouse").upsert_transactions(simulate(population), {})
    calls: Launched = []
    monkeypatch.setattr(backfilling, "launch", lambda *words: calls.append(words) or 0)
    return calls


def test_a_range_is_one_launch_with_all_of_its_days(cli: CommandLine, launched: Launched) -> None:
    said = cli.done("backfill", *RANGE)

    [(job, days, _, select)] = launched
    assert (job, days, select) == ("backfill_features", ["2026-03-01", "2026-03-02", "2026-03-03"], [])
    assert "purchases will be read" in said


def test_the_group_of_a_new_feature_is_computed_alone(cli: CommandLine, launched: Launched) -> None:
    cli.done("backfill", *RANGE, "--group", "volume")

    [(*_, select)] = launched
    assert select == ["feature_volume", "feature_vectors"]


def test_a_dry_run_says_what_would_be_read_and_starts_nothing(cli: CommandLine, launched: Launched) -> None:
    costs = {cost["group"]: cost for cost in cli.json("backfill", *RANGE, "--dry-run")}

    assert launched == []
    volume = costs["volume"]
    assert (volume["statements"], volume["days"]) == (1, 3 + 364)
    assert 2.5 < volume["purchases_one_by_one"] / volume["purchases"] <= 3
    assert costs["category"]["days"] == 3 + 29


def test_a_range_over_months_is_a_statement_a_month(cli: CommandLine, launched: Launched) -> None:
    costs = cli.json("backfill", "--from", "2026-01-01", "--to", "2026-03-03", "--group", "volume", "--dry-run")

    assert [cost["statements"] for cost in costs] == [2]


def test_without_purchases_nothing_is_started(cli: CommandLine) -> None:
    assert "does not exist" in cli.refused("backfill", *RANGE, code=3)
