"""The gate asks the event log: every gating check of the partition, passed, on the newest data."""

import pytest

from bnpl_features.features.catalog import GROUPS
from checks.drift import OVERRIDE_TAG
from tests.code_location import DAY, TOMORROW, CodeLocation, check_key, why


def test_gate_refuses_where_checks_never_ran(location: CodeLocation) -> None:
    assert location.backfill(TOMORROW, TOMORROW).success

    result = location.publish_alone(TOMORROW)

    assert not result.success
    for name in ("transactions:contract", "feature_volume:schema", "feature_vectors:completeness"):
        assert f"{name} did not run for this partition" in why(result)
    assert "run the daily job for this partition again" in why(result)


def test_gate_refuses_where_a_check_could_not_run(location: CodeLocation) -> None:
    crashed = location.having(BNPL_WAREHOUSE_FOLDER=str(location.folder / "gone")).run_check("feature_device", "schema")
    assert not crashed.success

    result = location.publish_alone()

    assert not result.success
    assert "feature_device:schema could not run to its end" in why(result)
    assert "feature_device:nulls" not in why(result)


def test_gate_refuses_where_the_group_was_computed_after_its_checks(location: CodeLocation) -> None:
    assert location.materialize("feature_volume").success

    result = location.publish_alone()

    assert not result.success
    assert "feature_volume:schema passed, but on older data" in why(result)
    assert "feature_volume was computed after feature_vectors, which must be computed again" in why(result)
    assert "feature_device" not in why(result)


def test_gate_refuses_where_a_group_was_computed_and_checked_after_the_vectors(location: CodeLocation) -> None:
    names = ("schema", "unique_customer", "row_count", "nulls", "drift")
    checks = tuple(check_key("feature_volume", name) for name in names)
    assert location.materialize("feature_volume", checks=checks).success

    result = location.publish_alone()

    assert not result.success
    assert "on older data" not in why(result)
    assert "feature_volume was computed after feature_vectors" in why(result)


def test_gate_refuses_where_the_vectors_were_computed_after_their_checks(location: CodeLocation) -> None:
    assert location.materialize("feature_vectors").success

    result = location.publish_alone()

    assert not result.success
    assert "feature_vectors:completeness passed, but on older data" in why(result)


def test_gate_refuses_where_a_backfill_recomputed_the_day(location: CodeLocation) -> None:
    assert location.backfill(DAY, TOMORROW).success

    result = location.publish_alone(DAY)

    assert not result.success
    assert "feature_vectors:schema passed, but on older data" in why(result)


def test_drift_warning_does_not_refuse(location: CodeLocation) -> None:
    [warned] = location.having(BNPL_DRIFT_WARN="0").run_check("feature_volume", "drift").get_asset_check_evaluations()
    assert not warned.passed

    result = location.publish_alone()

    assert result.success, why(result)
    provenance = location.served().provenance  # type: ignore[union-attr]
    assert provenance.checks["feature_volume:drift"] == "warned"
    assert provenance.overrides == {}


def test_drift_error_with_a_reason_publishes_and_the_reason_lands_in_the_manifest(location: CodeLocation) -> None:
    tags = {OVERRIDE_TAG: "summer campaign, seen by risk"}
    strict = location.having(BNPL_DRIFT_WARN="0", BNPL_DRIFT_ERROR="0")
    assert strict.run_check("feature_volume", "drift", tags=tags).success

    result = location.publish_alone()

    assert result.success, why(result)
    provenance = location.served().provenance  # type: ignore[union-attr]
    assert provenance.overrides == {"feature_volume:drift": "summer campaign, seen by risk"}
    assert provenance.checks["feature_volume:drift"] == "warned"


def test_reason_given_where_drift_only_warned_is_no_override(location: CodeLocation) -> None:
    tags = {OVERRIDE_TAG: "not needed"}
    location.having(BNPL_DRIFT_WARN="0", BNPL_DRIFT_ERROR="9").run_check("feature_volume", "drift", tags=tags)

    assert location.publish_alone().success

    assert location.served().provenance.overrides == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("reason", ["", "   "])
def test_drift_error_with_a_blank_reason_is_refused(location: CodeLocation, reason: str) -> None:
    strict = location.having(BNPL_DRIFT_WARN="0", BNPL_DRIFT_ERROR="0")
    strict.run_check("feature_volume", "drift", tags={OVERRIDE_TAG: reason})

    result = location.publish_alone()

    assert not result.success
    assert "feature_volume:drift failed: drifted: " in why(result)


def test_every_group_and_the_vectors_have_their_gates(location: CodeLocation) -> None:
    assert location.backfill(TOMORROW, TOMORROW).success

    refusals = why(location.publish_alone(TOMORROW))

    for group in GROUPS:
        for name in ("schema", "unique_customer", "row_count", "nulls", "drift"):
            assert f"feature_{group.name}:{name} " in refusals
