"""Dagster on a real PostgreSQL, with the instance's settings of deploy/compose."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from automation.jobs import DAILY_JOB
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.versions import State, list_versions
from tests.code_location import DAY, CodeLocation, job_of, part_of, valkey, why
from tests.deploy.tools import DEPLOY
from tests.postgres import postgres, rows

__all__ = ["valkey"]


@dataclass(frozen=True)
class OnPostgres:
    """A deployment whose Dagster keeps everything in a database."""

    location: CodeLocation
    home: Path
    urls: dict[str, str]

    @property
    def instance(self) -> dg.DagsterInstance:
        """As another process would open it."""
        return dg.DagsterInstance.from_config(str(self.home))

    def run(self, job: dg.JobDefinition) -> dg.ExecuteInProcessResult:
        with self.instance as instance:
            return job.execute_in_process(
                instance=instance,
                partition_key=DAY.isoformat(),
                run_config=self.location.run_config,
                raise_on_error=False,
            )


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[str, str]]:
    with postgres("dagster") as urls:
        yield urls


@pytest.fixture(scope="module")
def deployment(
    valkey: str, databases: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OnPostgres]:
    """The day was run once."""
    folder = tmp_path_factory.mktemp("on-postgres")
    location = CodeLocation(folder, valkey, f"test-{secrets.token_hex(4)}")
    (folder / "warehouse").mkdir()
    location.receive()
    home = folder / "dagster"
    home.mkdir()
    shipped = (DEPLOY / "compose" / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(shipped.replace("/var/lib/bnpl", str(folder / "data")))
    made = OnPostgres(location, home, databases)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_POSTGRES_URL", databases["dagster"])
        result = made.run(job_of(DAILY_JOB))
        assert result.success, why(result)
        yield made


def test_the_daily_job_publishes(deployment: OnPostgres) -> None:
    served = deployment.location.served()

    assert served is not None
    assert served.partition_date == DAY


def test_its_runs_and_events_are_in_the_database_and_nowhere_else(deployment: OnPostgres) -> None:
    url = deployment.urls["dagster"]

    [(runs,)] = rows(url, "SELECT count(*) FROM runs WHERE status = 'SUCCESS'")
    [(materialized,)] = rows(
        url,
        f"SELECT count(DISTINCT asset_key) FROM event_logs WHERE partition = '{DAY}' "
        "AND dagster_event_type = 'ASSET_MATERIALIZATION'",
    )

    assert runs == 1
    assert isinstance(materialized, int)
    assert materialized >= 8
    assert not list(deployment.home.rglob("*.db"))


def test_the_gate_finds_the_checks_of_an_earlier_run_there(deployment: OnPostgres) -> None:
    again = deployment.run(part_of(("published_features",), ()))

    assert again.success, why(again)
    location = deployment.location
    states = [version.state for version in list_versions(connect(location.url), Keyspace(location.namespace))]
    assert states.count(State.ACTIVE) == 1
    assert len(states) > 1


def test_the_gate_refuses_where_the_database_has_no_checks(deployment: OnPostgres) -> None:
    tomorrow = (DAY + timedelta(days=1)).isoformat()
    with deployment.instance as instance:
        refused = part_of(("published_features",), ()).execute_in_process(
            instance=instance,
            partition_key=tomorrow,
            run_config=deployment.location.run_config,
            raise_on_error=False,
        )

    assert not refused.success
    assert "did not run" in why(refused)


def test_limits_of_pools_are_shared_by_all_who_use_the_database(deployment: OnPostgres) -> None:
    with deployment.instance as one, deployment.instance as other:
        one.event_log_storage.set_concurrency_slots("warehouse", 4)

        assert other.event_log_storage.get_concurrency_info("warehouse").slot_count == 4
