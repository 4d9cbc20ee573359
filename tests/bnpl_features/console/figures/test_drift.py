"""The heat map and the distributions tell what the findings and profiles of the days hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bnpl_features.console.figures.distribution import distribution
from bnpl_features.console.figures.drift import heat_map
from bnpl_features.drift.findings import Finding, Severity
from bnpl_features.drift.findings_table import read_findings, write_findings
from bnpl_features.errors import InputError
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.console.desk import DAYS, NEWEST, RULES, Desk


def test_the_map_has_a_row_a_feature_and_a_cell_a_day(desk: Desk) -> None:
    found = heat_map(desk.warehouse)

    assert found.days == tuple(DAYS[1:])
    row = next(one for one in found.rows if one.feature == "txn_count_30d")
    indices = read_findings(desk.warehouse, NEWEST, NEWEST, {}, subject="volume", segment="all", measure="psi")[NEWEST]
    expected = {one.reference: one.value for one in indices if one.feature == "txn_count_30d"}["trailing"]
    assert row.cells[-1] is not None
    assert row.cells[-1].index == pytest.approx(expected)
    assert [one.subject for one in found.rows] == sorted((one.subject for one in found.rows), key=_position(found.rows))


def test_signs_of_a_fault_and_a_lost_volume_make_an_error(tmp_path: object, desk: Desk) -> None:
    warehouse = DuckDBWarehouse(desk.folder / "faults", threads=1)
    finding = Finding("volume", "all", "txn_count_7d", "psi", 0.02, "trailing", Severity.STABLE)
    burst = replace(finding, measure="null_burst", value=0.4, verdict=Severity.ERROR)
    collapse = replace(burst, feature="rows", measure="volume", value=0.1)
    write_findings(warehouse, NEWEST, [finding, burst, collapse], {})

    found = heat_map(warehouse)

    assert [(one.feature, one.cells[0] and one.cells[0].verdict) for one in found.moved] == [
        ("txn_count_7d", Severity.ERROR),
        ("rows", Severity.ERROR),
    ]
    assert found.moved[0].cells[0] is not None
    assert found.moved[0].cells[0].signs == ("null_burst",)


def test_before_the_first_report_the_map_is_empty(desk: Desk) -> None:
    (desk.folder / "nothing").mkdir()

    assert heat_map(DuckDBWarehouse(desk.folder / "nothing", threads=1)).days == ()
    assert heat_map(desk.warehouse, last=NEWEST - timedelta(days=90)).days == ()


def test_a_distribution_stands_beside_its_reference(desk: Desk) -> None:
    found = distribution(desk.warehouse, RULES, "volume", "txn_count_30d", NEWEST)

    assert sum(one.now for one in found.bins) == pytest.approx(1.0)
    assert sum(one.before for one in found.bins) == pytest.approx(1.0)
    assert found.rows[1] > found.rows[0] > 100
    assert {"trailing", "weeks"} <= set(found.references)
    assert {one.feature for one in found.findings} == {"txn_count_30d"}
    assert "segment:at_risk" in found.segments


def test_a_distribution_may_be_of_a_segment(desk: Desk) -> None:
    whole = distribution(desk.warehouse, RULES, "volume", "txn_count_30d", NEWEST)
    part = distribution(desk.warehouse, RULES, "volume", "txn_count_30d", NEWEST, segment="segment:at_risk")

    assert 0 < part.rows[0] < whole.rows[0]
    assert {one.segment for one in part.findings} == {"segment:at_risk"}


@pytest.mark.parametrize(
    ("subject", "feature", "segment", "says"),
    [
        ("nothing", "x", "all", "is profiled"),
        ("volume", "x", "all", "it has txn_count_7d"),
        ("volume", "txn_count_7d", "segment:nobody", "choose another day"),
    ],
)
def test_what_is_not_profiled_is_refused(desk: Desk, subject: str, feature: str, segment: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        distribution(desk.warehouse, RULES, subject, feature, NEWEST, segment=segment)


def _position(rows: object) -> object:
    names = list(dict.fromkeys(one.subject for one in rows))  # type: ignore[attr-defined]
    return names.index
