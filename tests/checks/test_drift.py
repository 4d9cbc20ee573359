"""Drift blocks where it leaps or looks like a fault, warns and asks for retraining where the world changed."""

from datetime import timedelta

from dagster import AssetCheckEvaluation, AssetCheckSeverity

from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import group_subject
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import group_table
from bnpl_features.drift.references import set_reference
from bnpl_features.features.catalog import group_named
from bnpl_features.simulator import ScaledColumn
from checks.drift import CAUSE, DRIFTED_FEATURES, LARGEST_INDEX, OVERRIDE_TAG, RETRAINING_ASKED
from tests.code_location import DAY, ONE_DAY, REFERENCE_DAYS, YESTERDAY, CodeLocation

VOLUME = group_table(group_named("volume"))
SUBJECT = group_subject(group_named("volume"))


def metadata(evaluation: AssetCheckEvaluation) -> dict[str, object]:
    """What a sensor reads."""
    keys = (RETRAINING_ASKED, DRIFTED_FEATURES, LARGEST_INDEX, CAUSE)
    return {key: evaluation.metadata[key].value for key in keys}


def test_ordinary_day_is_stable(location: CodeLocation) -> None:
    evaluation = location.evaluate(VOLUME.name, "drift")

    assert evaluation.passed
    found = metadata(evaluation)
    assert found.pop(LARGEST_INDEX) < 0.1
    assert found == {RETRAINING_ASKED: False, DRIFTED_FEATURES: [], CAUSE: "none"}
    assert "| amount_mean_30d |" in evaluation.metadata["stability_index"].md_str


def test_some_drift_warns_without_blocking(location: CodeLocation) -> None:
    _multiply_amounts(location, by="1.9", of="SUBSTR(customer_id, -1) < '4'")

    evaluation = location.evaluate(VOLUME.name, "drift")

    assert not evaluation.passed
    assert evaluation.severity is AssetCheckSeverity.WARN
    assert 0.1 <= evaluation.metadata[LARGEST_INDEX].value < 0.25
    assert evaluation.description.startswith("drifted: amount_mean_30d 0.")
    assert metadata(evaluation)[DRIFTED_FEATURES] == ["amount_mean_30d"]
    assert metadata(evaluation)[RETRAINING_ASKED] is False, "one feature alone is no changed world"


def test_another_unit_is_an_error_that_names_its_cause(location: CodeLocation) -> None:
    _multiply_amounts(location, by="10", of="TRUE")

    evaluation = location.evaluate(VOLUME.name, "drift")

    assert not evaluation.passed
    assert evaluation.severity is AssetCheckSeverity.ERROR
    assert evaluation.metadata[LARGEST_INDEX].value > 0.25
    assert metadata(evaluation)[CAUSE] == "broken pipeline"
    assert "unit change of volume amount_mean_30d" in evaluation.description


def test_an_operators_reason_turns_the_error_into_a_warning(location: CodeLocation) -> None:
    _multiply_amounts(location, by="10", of="TRUE")

    [evaluation] = location.run_check(VOLUME.name, "drift", tags={OVERRIDE_TAG: "agreed"}).get_asset_check_evaluations()

    assert evaluation.severity is AssetCheckSeverity.WARN
    assert evaluation.metadata["override_reason"].value == "agreed"


def test_feature_with_thresholds_of_its_own_is_judged_by_them(location: CodeLocation) -> None:
    file = location.folder / "settings.toml"
    file.write_text("[checks.drift_thresholds]\namount_mean_30d = [90.0, 99.0]\n")
    _multiply_amounts(location, by="10", of="TRUE")

    evaluation = location.having(BNPL_SETTINGS=str(file)).evaluate(VOLUME.name, "drift")

    assert evaluation.passed


def test_slow_drift_from_the_training_data_asks_for_retraining_and_does_not_block(location: CodeLocation) -> None:
    long_ago = DAY - timedelta(days=40)
    halved = ", ".join(f"amount_{name}_30d * 0.4 AS amount_{name}_30d" for name in ("mean", "max", "sum"))
    columns = f"* EXCEPT (partition_date) REPLACE ({halved})"
    sql = f"SELECT {columns} FROM {VOLUME.name} WHERE partition_date = @partition_date"
    location.warehouse.replace_partition(VOLUME, long_ago, Query(sql, {"partition_date": DAY}), {})
    location.warehouse.replace_partition(profiles_table(SUBJECT), long_ago, profile_query(SUBJECT, long_ago), {})
    set_reference(location.warehouse, long_ago, long_ago, set_on=long_ago, model="behavioural 1", labels={})

    evaluation = location.evaluate(VOLUME.name, "drift")

    found = metadata(evaluation)
    assert (evaluation.passed, evaluation.severity) == (False, AssetCheckSeverity.WARN)
    assert (found[RETRAINING_ASKED], found[CAUSE]) == (True, "changed world")
    assert found[LARGEST_INDEX] < 0.1
    assert set(found[DRIFTED_FEATURES]) >= {"amount_mean_30d", "amount_max_30d"}


def test_purchases_in_another_unit_block_before_a_group_is_computed(location: CodeLocation) -> None:
    location.receive(ScaledColumn("amount", DAY))

    result = location.checked(DAY)

    assert not result.success
    [evaluation] = [e for e in result.get_asset_check_evaluations() if e.check_name == "drift"]
    assert evaluation.asset_key.path == ["transactions_profile"]
    assert metadata(evaluation)[CAUSE] == "broken pipeline"
    assert "unit change of transactions amount" in evaluation.description


def test_first_day_has_nothing_to_compare_with_and_passes(location: CodeLocation) -> None:
    first = YESTERDAY - REFERENCE_DAYS * ONE_DAY

    evaluation = location.evaluate(VOLUME.name, "drift", first)

    assert evaluation.passed
    assert evaluation.description == "no days to compare with yet"
    assert first < DAY


def _multiply_amounts(location: CodeLocation, by: str, of: str) -> None:
    larger = f"IF({of}, amount_mean_30d * {by}, amount_mean_30d) AS amount_mean_30d"
    location.doctor(VOLUME, f"* EXCEPT (partition_date) REPLACE ({larger}) FROM {VOLUME.name}")
