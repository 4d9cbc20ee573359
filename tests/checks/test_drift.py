"""Drift warns from 0.1, blocks from 0.25, by feature and by settings."""

from dagster import AssetCheckSeverity

from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS
from tests.code_location import DAY, ONE_DAY, REFERENCE_DAYS, YESTERDAY, CodeLocation

VOLUME = group_table(next(group for group in GROUPS if group.name == "volume"))


def test_ordinary_day_is_stable(location: CodeLocation) -> None:
    evaluation = location.evaluate(VOLUME.name, "drift")

    assert evaluation.passed
    assert evaluation.metadata["largest_index"].value < 0.1
    assert "| amount_mean_30d |" in evaluation.metadata["stability_index"].md_str


def test_some_drift_warns_without_blocking(location: CodeLocation) -> None:
    _multiply_amounts(location, by="1.9", of="SUBSTR(customer_id, -1) < '4'")

    evaluation = location.evaluate(VOLUME.name, "drift")

    assert not evaluation.passed
    assert evaluation.severity is AssetCheckSeverity.WARN
    assert 0.1 <= evaluation.metadata["largest_index"].value < 0.25
    assert evaluation.description.startswith("drifted: amount_mean_30d 0.")


def test_much_drift_is_an_error(location: CodeLocation) -> None:
    _multiply_amounts(location, by="10", of="TRUE")

    evaluation = location.evaluate(VOLUME.name, "drift")

    assert not evaluation.passed
    assert evaluation.severity is AssetCheckSeverity.ERROR
    assert evaluation.metadata["largest_index"].value > 0.25


def test_feature_with_thresholds_of_its_own_is_judged_by_them(location: CodeLocation) -> None:
    file = location.folder / "settings.toml"
    file.write_text("[checks.drift_thresholds]\namount_mean_30d = [90.0, 99.0]\n")
    _multiply_amounts(location, by="10", of="TRUE")

    evaluation = location.having(BNPL_SETTINGS=str(file)).evaluate(VOLUME.name, "drift")

    assert evaluation.passed


def test_first_day_has_nothing_to_compare_with_and_passes(location: CodeLocation) -> None:
    first = YESTERDAY - REFERENCE_DAYS * ONE_DAY

    evaluation = location.evaluate(VOLUME.name, "drift", first)

    assert evaluation.passed
    assert evaluation.description == "no days to compare with yet"
    assert first < DAY


def _multiply_amounts(location: CodeLocation, by: str, of: str) -> None:
    larger = f"IF({of}, amount_mean_30d * {by}, amount_mean_30d) AS amount_mean_30d"
    location.doctor(VOLUME, f"* EXCEPT (partition_date) REPLACE ({larger}) FROM {VOLUME.name}")
