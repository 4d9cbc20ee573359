"""From a day's purchases to what is served, and what keeps a day from being served."""

import pytest

from bnpl_features.features.catalog import GROUPS
from bnpl_features.simulator import ConstantColumn, DriftedSegment, DuplicatedRows, Fault, MissingDays, NullColumn
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
    result = location.daily(TOMORROW)

    assert result.success, why(result)
    assert failed_checks(result) == set()
    assert materialized(result) == {*(group.table for group in GROUPS), "feature_vectors", "published_features"}
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
    assert metadata["customers"].value == served.customers
    assert event.partition == TOMORROW.isoformat()


@pytest.mark.parametrize(
    ("fault", "blamed"),
    [
        (ConstantColumn("amount", -5.0, DAY), "transactions:contract"),
        (DuplicatedRows(0.1, DAY), "transactions:contract"),
        (MissingDays(DAY, DAY), "transactions:volume"),
        (NullColumn("payment_credit_limit", POPULATION.first_day), "feature_volume:nulls"),
        (ConstantColumn("device_id", "dev_1", POPULATION.first_day), "feature_device:drift"),
        (DriftedSegment(POPULATION.first_day, share=0.9, amount_factor=40, night_share=0), "feature_volume:drift"),
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
