"""The whole daily job on BigQuery: dagster-gcp's resource, the official client, the emulator."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from google.cloud import bigquery

from bnpl_features.cli.main import commands
from bnpl_features.plan.daily import Job, daily_statements
from bnpl_features.plan.planning import LEAST_BYTES
from bnpl_features.simulator import Population, simulate
from bnpl_features.warehouse.bigquery import connect
from tests import emulator
from tests.code_location import CodeLocation, valkey, why  # noqa: F401 (a fixture)

DAY = date(2026, 3, 10)
DATASET = "features"
PROJECT = "lender"


@pytest.fixture
def location(running_emulator: emulator.Emulator, valkey: str, tmp_path: Path) -> CodeLocation:  # noqa: F811
    """A deployment whose warehouse is BigQuery and holds forty days of purchases."""
    warehouse = connect(
        DATASET,
        project=PROJECT,
        location="US",
        api_endpoint=running_emulator.api_endpoint,
        storage_endpoint=running_emulator.storage_endpoint,
    )
    warehouse.client.create_dataset(bigquery.Dataset(f"{PROJECT}.{DATASET}"), exists_ok=True)
    population = Population(300, DAY - timedelta(days=40), DAY, seed=5, purchases_per_year=60.0)
    warehouse.upsert_transactions(simulate(population), {"asset": "transactions"})
    return CodeLocation(tmp_path, valkey, "test-bigquery").having(
        BNPL_WAREHOUSE="bigquery",
        BNPL_BIGQUERY_PROJECT=PROJECT,
        BNPL_BIGQUERY_DATASET=DATASET,
        BNPL_BIGQUERY_LOCATION="US",
        BNPL_BIGQUERY_MAXIMUM_BYTES_BILLED="1000000000",
        BNPL_BIGQUERY_API_ENDPOINT=running_emulator.api_endpoint,
        BNPL_BIGQUERY_STORAGE_ENDPOINT=running_emulator.storage_endpoint,
    )


def test_a_day_is_computed_checked_and_published_on_bigquery_and_a_part_of_it_again(location: CodeLocation) -> None:
    before = location.backfill(DAY - timedelta(days=1), DAY - timedelta(days=1))
    assert before.success, why(before)

    result = location.daily(DAY)
    again = location.materialize("feature_volume")

    assert result.success, why(result)
    assert again.success, why(again)
    shows_a_published_day(location, result, again)


@pytest.mark.drill
def test_two_days_and_a_rerun_are_computed_checked_and_published_on_bigquery(location: CodeLocation) -> None:
    for day in (DAY - timedelta(days=1), DAY, DAY):
        result = location.daily(day)

        assert result.success, why(result)
    shows_a_published_day(location, result, result)


def shows_a_published_day(
    location: CodeLocation, result: dg.ExecuteInProcessResult, newest: dg.ExecuteInProcessResult
) -> None:
    served = location.served()
    assert served is not None
    assert served.partition_date == DAY
    assert set(served.provenance.checks.values()) <= {"passed", "warned"}, "three hundred customers make noise"
    for computed in (result, newest):
        [volume] = [e for e in computed.get_asset_materialization_events() if e.asset_key.path == ["feature_volume"]]
        metadata = volume.materialization.metadata
        assert metadata["dagster/partition_row_count"].value == served.customers
        assert "bytes_estimated_by_dry_run" in metadata
        assert metadata["job_id"].value


def test_the_plan_by_dry_runs_asks_bigquery_for_each_statement(
    location: CodeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert location.checked(DAY).success
    for name, value in location.variables.items():
        monkeypatch.setenv(name, value)

    planned = CliRunner().invoke(commands, ["plan", "--dry-run", "--day", str(DAY), "--json"])

    assert planned.exit_code == 0, planned.output
    [plan] = json.loads(planned.stdout)
    assert {one["how"] for one in plan["statements"]} == {"dry run"}
    assert len(plan["statements"]) == len(daily_statements(Job(DAY)))
    queries = [one for one in plan["statements"] if one["api"] == "query"]
    # The emulator takes a dry run of each, and says 0 bytes: what is billed is the least.
    assert min(one["bytes_billed"] for one in queries) == LEAST_BYTES
