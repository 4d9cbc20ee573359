"""`bnpl-features drift` and `drift-reference`."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import TRANSACTIONS
from bnpl_features.simulator import Population, ScaledColumn, inject, simulate
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.cli.conftest import CommandLine

DAY = date(2026, 3, 10)
WEEK_BEFORE = DAY - timedelta(days=7)


@pytest.fixture
def profiled(cli: CommandLine) -> CommandLine:
    """Purchases of eight days, the last in cents, with their profiles."""
    import pyarrow as pa

    folder = cli.folder / "warehouse"
    folder.mkdir()
    warehouse = DuckDBWarehouse(folder, threads=1)
    bought = pa.Table.from_batches(simulate(Population(1_500, WEEK_BEFORE, DAY, purchases_per_year=90.0)))
    warehouse.upsert_transactions(iter(inject(bought, [ScaledColumn("amount", DAY)]).to_batches()), {})
    for n in range(8):
        day = WEEK_BEFORE + timedelta(days=n)
        warehouse.replace_partition(profiles_table(TRANSACTIONS), day, profile_query(TRANSACTIONS, day), {})
    return cli


def test_a_day_is_shown_with_its_cause_and_findings(profiled: CommandLine) -> None:
    printed = profiled.done("drift", "--day", str(DAY))

    assert "broken pipeline" in printed
    assert "unit_change" in printed
    found = profiled.json("drift", "--day", str(DAY), "--group", "transactions")
    assert found["verdicts"]["transactions"]["severity"] == "error"
    assert found["verdicts"]["transactions"]["drifted_features"][0] == "amount"
    assert {one["segment"] for one in found["findings"]} == {"all"}
    assert len(profiled.json("drift", "--day", str(DAY), "--segments", "--all")["findings"]) > 100


def test_days_without_profiles_say_what_to_run(profiled: CommandLine) -> None:
    assert "bnpl-features run --partition 2026-01-01" in profiled.done("drift", "--day", "2026-01-01")
    assert "choose one of volume" in profiled.refused("drift", "--group", "volumes")


def test_chosen_days_become_the_reference(profiled: CommandLine) -> None:
    printed = profiled.done(
        "drift-reference", "--from", str(WEEK_BEFORE), "--to", str(DAY - timedelta(days=1)), "--set-on", str(DAY)
    )

    assert "reference from 2026-03-10 on: 2026-03-03 to 2026-03-09" in printed
    findings = profiled.json("drift", "--day", str(DAY), "--all")["findings"]
    assert {one["reference"] for one in findings} >= {"training", "trailing"}
    assert "give both" in profiled.refused("drift-reference", "--from", str(DAY))
    assert "has no champion" in profiled.refused("drift-reference")
