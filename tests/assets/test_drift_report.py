"""The report keeps every finding of the day, and shows what moved."""

import base64
from datetime import timedelta

import dagster as dg

from bnpl_features.derive.profile import ALL
from bnpl_features.derive.table import group_table
from bnpl_features.drift.findings import INDEX, TRAILING
from bnpl_features.drift.findings_table import FINDINGS, read_findings
from bnpl_features.features.catalog import GROUPS, group_named
from tests.code_location import DAY, ONE_DAY, YESTERDAY, CodeLocation

VOLUME = group_table(group_named("volume"))


def report(location: CodeLocation) -> dict[str, dg.MetadataValue]:
    result = location.materialize("drift_report")
    assert result.success
    [event] = result.get_asset_materialization_events()
    return dict(event.materialization.metadata)


def test_every_group_and_the_purchases_have_findings_by_segment(location: CodeLocation) -> None:
    found = read_findings(location.warehouse, DAY - timedelta(days=5), DAY, {})

    assert set(found) == {YESTERDAY, DAY}, "days that were only computed have no report"
    today = found[DAY]
    assert {one.subject for one in today} >= {*(group.name for group in GROUPS), "transactions"}
    segments = {one.segment for one in today if one.subject == "volume"}
    assert segments >= {ALL, "lifecycle_stage:active", "credit_band:over 50 %"}
    assert any(one.segment.startswith("credit_range:") for one in today if one.subject == "transactions")
    assert {one.measure for one in today} >= {INDEX, "jensen_shannon", "wasserstein", "null_shift", "range_shift"}
    indices = read_findings(location.warehouse, DAY, DAY, {}, subject="device", segment=ALL, measure=INDEX)[DAY]
    of_trailing = [one.feature for one in indices if one.reference == TRAILING]
    assert sorted(of_trailing) == sorted(feature.name for feature in group_named("device").features)


def test_no_report_yet_means_no_findings(location: CodeLocation) -> None:
    assert read_findings(location.warehouse, DAY + 100 * ONE_DAY, DAY + 101 * ONE_DAY, {}) == {}


def test_what_drifted_is_shown_before_and_after_beside_a_heat_map(location: CodeLocation) -> None:
    quiet = report(location)
    larger = "amount_mean_30d * 10 AS amount_mean_30d"
    location.doctor(VOLUME, f"* EXCEPT (partition_date) REPLACE ({larger}) FROM {VOLUME.name}")

    metadata = report(location)

    assert "broken pipeline" not in quiet["verdicts"].value
    assert "| volume | error | broken pipeline |" in metadata["verdicts"].value
    assert metadata["retraining_asked"].value is False
    for name in ("heat_map", "distributions"):
        picture = metadata[name].value.partition("base64,")[2].rstrip(")")
        assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert metadata["distributions"].value != quiet.get("distributions")
    [event] = location.instance.fetch_materializations(dg.AssetKey("drift_report"), limit=1).records
    assert event.asset_materialization.metadata["dagster/partition_row_count"].value == sum(
        batch.num_rows for batch in location.warehouse.read_partition(FINDINGS, DAY, ("measure",), {})
    )
