"""From a day's purchases to what is served, and what keeps a day from being served."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import redis

from assets import publication
from bnpl_features.errors import StoreUnavailable, VerificationFailed
from bnpl_features.features.catalog import GROUPS
from bnpl_features.simulator import ConstantColumn, DriftedSegment, DuplicatedRows, Fault, MissingDays, NullColumn
from bnpl_features.store import publisher
from bnpl_features.store.publishing import spool
from tests.code_location import (
    DAY,
    POPULATION,
    TOMORROW,
    YESTERDAY,
    CodeLocation,
    failed_checks,
    materialized,
    why,
)


def test_daily_run_computes_checks_and_publishes_the_day(location: CodeLocation) -> None:
    result = location.having(BNPL_CONSOLE_PUBLIC_URL="https://console.lender.example").daily(TOMORROW)

    assert result.success, why(result)
    assert failed_checks(result) == set()
    tables = {*(group.table for group in GROUPS), "feature_vectors"}
    assert materialized(result) == {"transactions_profile", *tables, "drift_report", "published_features"}
    served = location.served()
    assert served is not None
    assert (served.version, served.partition_date) == (2, TOMORROW)
    assert set(served.provenance.checks.values()) == {"passed"}
    assert served.provenance.run_id == result.run_id
    [consistency] = [e for e in result.get_asset_check_evaluations() if e.check_name == "consistency"]
    assert consistency.passed
    assert consistency.metadata["sampled"].value > 100
    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key.path == ["published_features"]]
    metadata = event.materialization.metadata
    assert metadata["version"].value == 2
    assert metadata["previous_version"].value == 1
    assert metadata["console"].value == "https://console.lender.example/versions/2"
    assert metadata["customers"].value == served.customers
    assert event.partition == TOMORROW.isoformat()


@pytest.mark.parametrize(
    ("fault", "blamed"),
    [
        (ConstantColumn("amount", -5.0, DAY), "transactions:contract"),
        (DuplicatedRows(0.1, DAY), "transactions:contract"),
        (MissingDays(DAY, DAY), "transactions:volume"),
        (NullColumn("payment_credit_limit", POPULATION.first_day), "transactions_profile:drift"),
        (ConstantColumn("device_id", "dev_1", POPULATION.first_day), "feature_device:drift"),
        (
            DriftedSegment(POPULATION.first_day, share=0.9, amount_factor=40, night_share=0),
            "transactions_profile:drift",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else value,
)
def test_faulty_purchases_stop_the_run_before_publication_and_a_publication_started_on_its_own(
    location: CodeLocation, fault: Fault, blamed: str
) -> None:
    before = location.served()
    location.receive(fault)

    result = location.daily(DAY)
    alone = location.publish_alone(DAY)

    assert not result.success
    assert blamed in failed_checks(result)
    assert not materialized(result) & {"feature_vectors", "published_features"}
    assert not alone.success
    assert f"{blamed} failed" in why(alone)
    assert location.served() == before


def test_mended_day_publishes_when_it_is_run_again(location: CodeLocation) -> None:
    location.receive(DuplicatedRows(0.1, DAY))
    assert not location.daily(DAY).success

    location.receive()
    result = location.daily(DAY)

    assert result.success, why(result)
    served = location.served()
    assert served is not None
    assert served.partition_date == DAY


def test_publication_on_its_own_goes_ahead_where_every_check_passed(location: CodeLocation) -> None:
    result = location.publish_alone(DAY)

    assert result.success, why(result)
    assert location.served().partition_date == DAY  # type: ignore[union-attr]


def test_older_day_than_the_newest_complete_one_is_refused(location: CodeLocation) -> None:
    assert location.publish_alone(DAY).success

    result = location.publish_alone(YESTERDAY)

    assert not result.success
    assert f"partition {YESTERDAY} is not published: {DAY} is newer and complete" in why(result)
    assert "bnpl-features rollback" in why(result)
    assert location.served().partition_date == DAY  # type: ignore[union-attr]


def test_day_is_published_again_where_the_newer_one_failed_its_checks(location: CodeLocation) -> None:
    location.receive(MissingDays(DAY, DAY))
    assert not location.run_check("transactions", "volume", DAY).get_asset_check_evaluations()[0].passed

    result = location.publish_alone(YESTERDAY)

    assert result.success, why(result)
    assert location.served().version == 2  # type: ignore[union-attr]


def test_publication_of_a_range_is_refused(location: CodeLocation) -> None:
    before = location.served()

    result = location.materialize("published_features", day=(YESTERDAY, DAY))

    assert not result.success
    assert "one partition a run" in why(result)
    assert location.served() == before


# --- several workers -------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def workers(location: CodeLocation, shared: Path, monkeypatch: pytest.MonkeyPatch) -> CodeLocation:
    """Three workers for a partition of several ranges."""
    monkeypatch.setattr(spool, "CUSTOMERS_PER_RANGE", 100)
    return location.having(BNPL_PUBLISH_WORKERS="3", BNPL_PUBLISH_FOLDER=str(shared))


def steps(result: dg.ExecuteInProcessResult, kind: str) -> list[str]:
    events = result.filter_events(lambda event: event.event_type_value == kind)
    return [str(event.step_key).rpartition(".")[2] for event in events if "place_ranges" in str(event.step_key)]


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, times: int) -> None:
    """A step of the publication does its work and then fails, as where its connection is cut; on its second share."""
    work: Callable[..., Any] = getattr(publication, name)
    left = [times]

    def cut(target: Any, plan: Any, *given: Any, **more: Any) -> Any:
        if given and 1 not in given[0]:
            return work(target, plan, *given, **more)
        if left[0]:
            left[0] -= 1
            if given:
                work(target, plan, given[0][:1], **{**more, "abandon_on_failure": False})
            raise error
        return work(target, plan, *given, **more)

    monkeypatch.setattr(publication, name, cut)


def test_several_workers_publish_one_version(workers: CodeLocation, shared: Path) -> None:
    result = workers.daily(DAY)

    assert result.success, why(result)
    places = {"place_ranges[share_0]", "place_ranges[share_1]", "place_ranges[share_2]"}
    assert set(steps(result, "STEP_SUCCESS")) == places
    served = workers.served()
    assert served is not None
    assert (served.version, served.partition_date) == (2, DAY)
    assert len(served.checksum.split()) > 3
    assert list(shared.iterdir()) == []
    [consistency] = [e for e in result.get_asset_check_evaluations() if e.check_name == "consistency"]
    assert consistency.passed


def test_more_workers_than_ranges_are_no_more_than_the_ranges(location: CodeLocation) -> None:
    result = location.having(BNPL_PUBLISH_WORKERS="8").publish_alone(DAY)

    assert result.success, why(result)
    assert steps(result, "STEP_SUCCESS") == ["place_ranges[share_0]"]


def test_a_worker_whose_connection_is_cut_once_is_tried_again_on_its_own(
    workers: CodeLocation, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "place", StoreUnavailable("cut"), times=1)

    result = workers.publish_alone(DAY)

    assert result.success, why(result)
    assert steps(result, "STEP_UP_FOR_RETRY") == ["place_ranges[share_1]"]
    assert sorted(steps(result, "STEP_SUCCESS")) == [f"place_ranges[share_{number}]" for number in range(3)]
    assert workers.served().version == 2  # type: ignore[union-attr]
    assert workers.evaluate("published_features", "consistency", DAY).passed
    assert list(shared.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "error", "tries"),
    [
        ("place", StoreUnavailable("cut"), 3),
        ("place", VerificationFailed("differs"), 1),
        ("finish", StoreUnavailable("cut"), 3),
    ],
)
def test_a_worker_that_fails_for_good_leaves_what_is_served_and_no_folder(
    workers: CodeLocation, shared: Path, name: str, error: Exception, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workers.served()
    failing(monkeypatch, name, error, times=10)

    result = workers.publish_alone(DAY)

    assert not result.success
    assert str(error) in why(result)
    retries = result.filter_events(lambda event: event.event_type_value == "STEP_UP_FOR_RETRY")
    assert len(retries) == tries - 1
    assert workers.served() == before
    assert list(shared.iterdir()) == []


def test_the_last_step_is_tried_again_where_the_store_was_away_for_a_moment(
    workers: CodeLocation, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate, cut = publisher.activate, [redis.ConnectionError("cut")]

    def cut_once(*given: Any, **more: Any) -> int | None:
        if cut:
            raise cut.pop()
        return activate(*given, **more)

    monkeypatch.setattr(publisher, "activate", cut_once)

    result = workers.publish_alone(DAY)

    assert result.success, why(result)
    assert cut == []
    assert workers.served().version == 2  # type: ignore[union-attr]
    assert list(shared.iterdir()) == []


def test_the_event_log_tells_progress_with_rate_and_remaining_time(workers: CodeLocation) -> None:
    result = workers.publish_alone(DAY)

    entries = workers.instance.all_logs(result.run_id)
    told = [entry.user_message for entry in entries if " customers, " in (entry.user_message or "")]
    for step in ("encode: ", "stage and verify: "):
        lines = [line for line in told if line.startswith(step)]
        assert lines, told
        assert all(line.endswith(" s left") and "/s, " in line for line in lines)


def test_an_erased_customer_is_left_out_and_counted(workers: CodeLocation) -> None:
    customers = workers.customers(DAY)
    workers.erase(customers[0])

    result = workers.daily(DAY)

    assert result.success, why(result)
    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key.path == ["published_features"]]
    assert event.materialization.metadata["erased"].value == 1
    assert workers.served().erased == 1  # type: ignore[union-attr]
    [consistency] = [e for e in result.get_asset_check_evaluations() if e.check_name == "consistency"]
    assert consistency.passed
