"""What is told of runs in a real event log, and what is not: nothing twice, nothing about a customer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from assets.failures import library_errors
from automation.jobs import RETRAINING_JOB
from automation.news import Place, news_of_publication, news_of_runs
from bnpl_features.alerts.alert import Alert, Severity
from bnpl_features.errors import RegistryUnavailable, WarehouseUnavailable
from tests.automation.event_log import computed

DAILY = dg.DailyPartitionsDefinition("2026-03-01")
KEY = "2026-03-09"
BEGIN = Place((datetime.now(UTC) - timedelta(hours=1)).isoformat())
MORNING = datetime(2026, 3, 11, 6, 0, tzinfo=UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run(instance: dg.DagsterInstance, *parts: object, job: str = "daily") -> dg.ExecuteInProcessResult:
    checks = [part for part in parts if isinstance(part, dg.AssetChecksDefinition)]
    assets = [part for part in parts if part not in checks]
    selection = dg.AssetSelection.all() | dg.AssetSelection.checks(*checks)
    made = dg.define_asset_job(job, selection, executor_def=dg.in_process_executor)
    return (
        dg.Definitions(assets=assets, asset_checks=checks, jobs=[made])
        .resolve_job_def(job)
        .execute_in_process(instance=instance, partition_key=KEY, raise_on_error=False)
    )


def failing(error: Exception) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=DAILY)
    def features() -> None:
        with library_errors():
            raise error

    return features


def checked(*, blocking: bool) -> tuple[dg.AssetsDefinition, dg.AssetChecksDefinition]:
    @dg.asset(partitions_def=DAILY)
    def features() -> None: ...

    @dg.asset_check(asset=features, blocking=blocking, partitions_def=DAILY)
    def nulls() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="amount went empty")

    return features, nulls


def told(instance: dg.DagsterInstance, place: Place = BEGIN) -> list[Alert]:
    return news_of_runs(instance, place, "http://dagster.test/")[0]


def test_a_failed_run_is_told_in_our_own_words_with_the_way_to_it(instance: dg.DagsterInstance) -> None:
    result = run(instance, failing(RegistryUnavailable("the registry does not answer; start it")))

    [alert] = told(instance)
    assert alert.title == f"daily {KEY} failed"
    assert "features: the registry does not answer; start it" in alert.text
    assert alert.link == f"http://dagster.test/runs/{result.run_id}"


def test_the_message_of_an_exception_of_somebody_else_is_not_told(instance: dg.DagsterInstance) -> None:
    run(instance, failing(KeyError("cust_0000042")))

    [alert] = told(instance)
    assert "features: KeyError; its message is in the run" in alert.text
    assert "cust_0000042" not in str(alert)


def test_a_fault_that_did_not_pass_is_told_by_its_cause(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assets.failures.RETRY_AFTER_SECONDS", 0.0)
    run(instance, failing(WarehouseUnavailable("no answer within 5 s; running again is safe")))

    [alert] = told(instance)
    assert "no answer within 5 s; running again is safe" in alert.text


def test_a_check_that_blocks_is_told_once_by_its_description(instance: dg.DagsterInstance) -> None:
    run(instance, *checked(blocking=True))

    [alert] = told(instance)
    assert alert.title == f"daily {KEY} failed"
    assert alert.text.splitlines()[0] == "features:nulls failed: amount went empty"
    assert len(alert.text.splitlines()) == 2


def test_a_check_with_an_error_in_a_run_that_went_on_is_told_too(instance: dg.DagsterInstance) -> None:
    assert run(instance, *checked(blocking=False)).success

    [alert] = told(instance)
    assert alert.title == f"daily {KEY} has failed checks"


def test_a_run_whose_process_was_killed_is_told(instance: dg.DagsterInstance) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def killed() -> None:
        nothing()

    made = instance.create_run_for_job(killed, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(made, "the process of this run was killed; run the partition again")

    [alert] = told(instance)
    assert alert.text.startswith("the process of this run was killed; run the partition again")


def test_a_run_that_is_well_is_no_news_unless_it_trained_the_models(instance: dg.DagsterInstance) -> None:
    @dg.asset(partitions_def=DAILY)
    def features() -> None: ...

    run(instance, features)
    run(instance, features, job=RETRAINING_JOB)

    [alert] = told(instance)
    assert (alert.title, alert.severity) == ("The models were trained again", Severity.INFO)


def test_each_run_is_read_once_and_the_same_failure_has_the_same_key(instance: dg.DagsterInstance) -> None:
    run(instance, *checked(blocking=True))
    [first], place = news_of_runs(instance, BEGIN, "")
    assert told(instance, Place.from_json(place.to_json(), MORNING)) == []

    run(instance, *checked(blocking=True))
    [second], _ = news_of_runs(instance, place, "")
    assert first.key == second.key
    assert first.link == ""


def test_a_publication_is_late_from_six_on_until_it_is_there(instance: dg.DagsterInstance) -> None:
    assert news_of_publication(instance, set(), MORNING) == []  # nothing was ever published
    computed(instance, date(2026, 3, 9))
    computed(instance, date(2026, 3, 10), published=False)

    assert news_of_publication(instance, set(), MORNING - timedelta(minutes=1)) == []
    [late] = news_of_publication(instance, set(), MORNING)
    assert late.title == "The publication of 2026-03-10 is late"
    assert "the newest partition that was published is 2026-03-09" in late.text

    computed(instance, date(2026, 3, 10))
    [there] = news_of_publication(instance, {late.key, "run:x"}, MORNING)
    assert (there.title, there.severity) == ("2026-03-10 is published", Severity.INFO)
    assert news_of_publication(instance, set(), MORNING) == []
