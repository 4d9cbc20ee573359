"""A day beside its references, on profiles in a warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from bnpl_features.derive.profile import ALL, profiles_table
from bnpl_features.derive.profiled import TRANSACTIONS, ProfiledColumn, Subject, group_subject
from bnpl_features.drift.calendar import read_calendar
from bnpl_features.drift.comparison import Comparison, compare, findings_of
from bnpl_features.drift.findings import SEASON, TRAILING, TRAINING, VOLUME, WEEKDAY, WEEKS, Finding, Severity
from bnpl_features.drift.limits import Limits
from bnpl_features.drift.references import reference_in_force, set_reference
from bnpl_features.drift.sketch import Sketch, row_of
from bnpl_features.drift.subjects import SEGMENTS
from bnpl_features.errors import InputError, RelationMissing
from bnpl_features.features.catalog import group_named
from bnpl_features.features.segment import SEGMENTS as DECLARED
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

GROUP = group_subject(group_named("device"))
FIRST, SECOND, *_ = [column.name for column in GROUP.columns]
DAY = date(2024, 3, 1)
Profile = Mapping[str, Mapping[int, int]]


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path, threads=1)


def write(
    warehouse: DuckDBWarehouse,
    days_ago: int,
    profile: Profile,
    *,
    subject: Subject = GROUP,
    day: date = DAY,
    more: Mapping[str, Profile] | None = None,
) -> None:
    """Rows by bin of some columns, -1 for nulls; a column that is not declared has a single bin. `more` has such by
    segment, in place of the whole."""
    columns = {column.name: column for column in subject.columns}
    rows = []
    for segment, of_segment in (more or {ALL: profile}).items():
        for feature, held in of_segment.items():
            column = columns.get(feature, ProfiledColumn(feature, feature, edges=(1.0,)))
            histogram = tuple(held.get(position, 0) for position in range(len(column.categories or column.edges) + 1))
            sketch = Sketch(sum(held.values()), held.get(-1, 0), histogram, 0.0, 9.0)
            rows.append({"segment": segment, "feature": feature} | row_of(sketch, column))
    table = profiles_table(subject)
    batch = pa.RecordBatch.from_pylist(rows, arrow_schema(table))
    warehouse.replace_partition_rows(table, day - timedelta(days=days_ago), iter([batch]), {})


def compared(warehouse: DuckDBWarehouse, reference_days: int = 7) -> Comparison:
    return compare(warehouse, GROUP, DAY, reference_days, {})[0]


def index_of(comparison: Comparison, feature: str, reference: str = TRAILING) -> float:
    [found] = [
        one.value
        for one in findings_of(comparison, Limits())
        if (one.feature, one.measure, one.reference) == (feature, "psi", reference)
    ]
    return found


def test_a_day_is_compared_with_the_sum_of_the_days_before_it(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 2, {FIRST: {0: 300, 1: 100}, SECOND: {-1: 80, 0: 320}})
    write(warehouse, 1, {FIRST: {0: 300, 1: 300}, SECOND: {-1: 120, 0: 480}})
    write(warehouse, 0, {FIRST: {0: 250, 1: 250}, SECOND: {-1: 250, 0: 250}})

    found = compared(warehouse)

    assert found.rows == 500
    assert found.trailing.rows == (400, 600)
    assert found.trailing.mean_rows == 500.0
    assert found.has_reference
    assert found.trailing.sketches[FIRST].bins == {0: 600, 1: 400}
    assert found.current.sketches[FIRST].bins == {0: 250, 1: 250}
    assert index_of(found, FIRST) == pytest.approx(0.0405465, abs=1e-7)
    assert found.null_shares(SECOND) == (0.5, 0.2)


def test_only_the_reference_days_before_the_day_count(warehouse: DuckDBWarehouse) -> None:
    for days_ago in (-1, 0, 1, 2, 3):
        write(warehouse, days_ago, {FIRST: {0: 10 + days_ago}})

    found = compared(warehouse, reference_days=2)

    assert found.rows == 10
    assert found.trailing.rows == (12, 11)


def test_weeks_and_weekdays_reach_back_four_weeks(warehouse: DuckDBWarehouse) -> None:
    for days_ago in (0, 1, 7, 9, 14, 28, 29):
        write(warehouse, days_ago, {FIRST: {0: 100 + days_ago}})

    found = compared(warehouse)

    assert found.references[WEEKDAY].rows == (128, 114, 107)
    assert found.references[WEEKS].rows == (128, 114, 109, 107, 101)
    assert found.trailing.rows == (107, 101)


def test_without_days_before_there_is_no_reference_and_nothing_found(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 0, {FIRST: {0: 10, 1: 5}})

    found = compared(warehouse)

    assert not found.has_reference
    assert found.trailing.mean_rows == 0.0
    assert found.null_shares(FIRST) == (0.0, 0.0)
    assert list(findings_of(found, Limits())) == []


def test_a_day_without_a_profile_has_no_rows(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 1, {FIRST: {0: 10}})

    found = compared(warehouse)

    assert found.rows == 0
    assert found.current.sketches == {}


def test_before_the_first_profile_the_error_says_what_to_materialise(warehouse: DuckDBWarehouse) -> None:
    (warehouse._folder / "unrelated").mkdir()

    with pytest.raises(RelationMissing, match=r"profile_device .*materialise the tables before"):
        compared(warehouse)


def test_a_feature_that_was_removed_or_has_other_bins_is_passed_over(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 1, {FIRST: {0: 10}, "no_longer_declared": {0: 10}})
    write(warehouse, 0, {FIRST: {0: 10}})

    assert set(compared(warehouse).trailing.sketches) == {FIRST}


def test_adding_a_feature_before_all_others_loses_no_reference(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 1, {SECOND: {0: 200, 1: 200}})
    write(warehouse, 0, {FIRST: {0: 400}, SECOND: {0: 200, 1: 200}})

    found = compared(warehouse)

    assert found.trailing.rows == (400,)
    assert index_of(found, SECOND) == 0.0


def test_a_seasonal_day_of_purchases_is_compared_with_that_of_the_year_before(warehouse: DuckDBWarehouse) -> None:
    black_friday, year_before = date(2025, 11, 28), date(2024, 11, 29)
    for days_ago in range(1, 8):
        write(warehouse, days_ago, {"amount": {3: 500}}, subject=TRANSACTIONS, day=black_friday)
    write(warehouse, 0, {"amount": {3: 900, 5: 600}}, subject=TRANSACTIONS, day=year_before)
    write(warehouse, 0, {"amount": {3: 1_200, 5: 800}}, subject=TRANSACTIONS, day=black_friday)

    [ordinary, *_] = compare(warehouse, TRANSACTIONS, black_friday, 7, {})
    [seasonal, *_] = compare(warehouse, TRANSACTIONS, black_friday, 7, {}, calendar=read_calendar())

    assert seasonal.season is not None
    assert seasonal.season.name == "Black Friday"
    assert SEASON not in ordinary.references
    assert index_of(ordinary, "amount") > 1.0
    assert index_of(seasonal, "amount", SEASON) == 0.0
    assert any(one.verdict is Severity.WARN for one in findings_of(ordinary, Limits()) if one.reference == TRAILING)
    assert all(one.measure == VOLUME for one in findings_of(seasonal, Limits()) if one.reference == TRAILING)


def test_a_quarter_of_the_usual_rows_is_a_collapse(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 1, {FIRST: {0: 1_000}})
    write(warehouse, 0, {FIRST: {0: 250}})

    [volume] = [one for one in findings_of(compared(warehouse), Limits()) if one.measure == VOLUME]

    assert volume.value == 0.25
    assert volume.verdict is Severity.ERROR


def test_the_reference_in_force_is_the_one_set_last_and_not_after_the_day(warehouse: DuckDBWarehouse) -> None:
    for days_ago, rows in ((60, 100), (59, 150), (20, 400)):
        write(warehouse, days_ago, {FIRST: {0: rows}})

    assert reference_in_force(warehouse, DAY, {}) is None
    for first, last, set_on, model in ((60, 59, 10, "behavioural 1"), (20, 20, -5, "behavioural 2")):
        set_reference(
            warehouse,
            DAY - timedelta(days=first),
            DAY - timedelta(days=last),
            set_on=DAY - timedelta(days=set_on),
            model=model,
            labels={},
        )

    now, later = (reference_in_force(warehouse, DAY + timedelta(days=n), {}) for n in (0, 5))
    assert now is not None
    assert later is not None
    assert (now.model, now.first_day, now.subjects["device"][ALL][FIRST].row_count) == (
        "behavioural 1",
        DAY - timedelta(days=60),
        250,
    )
    assert (later.model, later.subjects["device"][ALL][FIRST].row_count) == ("behavioural 2", 400)
    write(warehouse, 0, {FIRST: {0: 10}})
    [found] = compare(warehouse, GROUP, DAY, 7, {}, training=now)
    assert found.references[TRAINING].sketches[FIRST].row_count == 250


def test_days_without_profiles_are_refused_as_a_reference(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 0, {FIRST: {0: 10}})

    with pytest.raises(InputError, match="compute these days first"):
        set_reference(warehouse, DAY + timedelta(days=5), DAY + timedelta(days=6), set_on=DAY, model="m", labels={})


# Declared segments


def by_segment(warehouse: DuckDBWarehouse, **changes: object) -> dict[str, list[Finding]]:
    """Findings about the index against the days before, where thin_file is declared with `changes`: it moves a little,
    towards what established customers were like."""
    before = {"thin_file": {FIRST: {0: 500, 1: 500}}, "established": {FIRST: {0: 340, 1: 660}}}
    write(warehouse, 1, {}, subject=SEGMENTS, more=before)
    write(warehouse, 0, {}, subject=SEGMENTS, more={**before, "thin_file": {FIRST: {0: 340, 1: 660}}})
    declared = [replace(one, **changes) if one.name == "thin_file" else one for one in DECLARED]  # type: ignore[arg-type]
    return {
        one.segment: [
            found for found in findings_of(one, Limits()) if (found.measure, found.reference) == ("psi", TRAILING)
        ]
        for one in compare(warehouse, SEGMENTS, DAY, 1, {}, declared=declared)
    }


def test_a_segment_is_compared_with_its_own_past_by_the_limits_of_all(warehouse: DuckDBWarehouse) -> None:
    found = by_segment(warehouse)

    assert found[ALL] == []
    [moved], [stayed] = found["segment:thin_file"], found["segment:established"]
    assert (moved.verdict, stayed.value) == (Severity.WARN, 0.0)
    assert moved.value == pytest.approx(0.106, abs=1e-3)
    assert moved.subject == "device"


def test_a_segment_may_have_thresholds_of_its_own(warehouse: DuckDBWarehouse) -> None:
    assert by_segment(warehouse, drift_thresholds=(0.2, 0.3))["segment:thin_file"][0].verdict is Severity.STABLE


def test_stricter_thresholds_of_a_segment_hold_for_it_alone(warehouse: DuckDBWarehouse) -> None:
    found = by_segment(warehouse, drift_thresholds=(0.05, 0.1))

    assert found["segment:thin_file"][0].verdict is Severity.ERROR
    assert found["segment:established"][0].verdict is Severity.STABLE


def test_a_segment_may_be_compared_with_the_past_of_another(warehouse: DuckDBWarehouse) -> None:
    assert by_segment(warehouse, drift_reference="established")["segment:thin_file"][0].value == 0.0
