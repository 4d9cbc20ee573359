"""A day beside the days before it, on profiles in a warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import profiles_table
from bnpl_features.drift.comparison import Comparison, compare
from bnpl_features.errors import RelationMissing
from bnpl_features.features.catalog import group_named
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

GROUP = group_named("device")
FIRST, SECOND, *_ = [feature.name for feature in GROUP.features]
DAY = date(2024, 3, 1)
Profile = Mapping[str, Mapping[int, int]]


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path, threads=1)


def write(warehouse: DuckDBWarehouse, days_ago: int, profile: Profile) -> None:
    rows = [
        f"SELECT '{feature}' AS feature, {position} AS bin, {customers} AS customers"
        for feature, bins in profile.items()
        for position, customers in bins.items()
    ]
    day = DAY - timedelta(days=days_ago)
    warehouse.replace_partition(profiles_table(GROUP), day, Query(" UNION ALL ".join(rows), {}), {})


def compared(warehouse: DuckDBWarehouse, reference_days: int = 7) -> Comparison:
    return compare(warehouse, GROUP, DAY, reference_days, {})


def test_a_day_is_compared_with_the_sum_of_the_days_before_it(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 2, {FIRST: {0: 30, 1: 10}, SECOND: {-1: 8, 0: 32}})
    write(warehouse, 1, {FIRST: {0: 30, 1: 30}, SECOND: {-1: 12, 0: 48}})
    write(warehouse, 0, {FIRST: {0: 25, 1: 25}, SECOND: {-1: 25, 0: 25}})

    found = compared(warehouse)

    assert found.customers == 50
    assert found.reference_customers == (40, 60)
    assert found.mean_reference_customers == 50.0
    assert found.has_reference
    assert found.features[FIRST].reference == {0: 60, 1: 40}
    assert found.features[FIRST].current == {0: 25, 1: 25}
    assert found.features[FIRST].stability_index == pytest.approx(0.0405465, abs=1e-7)
    assert found.features[SECOND].null_share == 0.5
    assert found.features[SECOND].reference_null_share == 0.2


def test_only_the_reference_days_before_the_day_count(warehouse: DuckDBWarehouse) -> None:
    for days_ago in (-1, 0, 1, 2, 3):
        write(warehouse, days_ago, {FIRST: {0: 10 + days_ago}})

    found = compared(warehouse, reference_days=2)

    assert found.customers == 10
    assert found.reference_customers == (12, 11)


def test_days_that_are_missing_between_are_passed_over(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 5, {FIRST: {0: 10}})
    write(warehouse, 0, {FIRST: {0: 10}})

    assert compared(warehouse).reference_customers == (10,)


def test_without_days_before_there_is_no_reference_and_no_drift(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 0, {FIRST: {0: 10, 1: 5}})

    found = compared(warehouse)

    assert not found.has_reference
    assert found.mean_reference_customers == 0.0
    assert found.features[FIRST].stability_index == 0.0
    assert found.features[FIRST].reference_null_share == 0.0


def test_a_day_without_a_profile_has_no_customers(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 1, {FIRST: {0: 10}})

    found = compared(warehouse)

    assert found.customers == 0
    assert found.features[FIRST].current == {}
    assert found.features[FIRST].null_share == 0.0


def test_before_the_first_profile_the_error_says_what_to_materialise(warehouse: DuckDBWarehouse) -> None:
    (warehouse._folder / "unrelated").mkdir()

    with pytest.raises(RelationMissing, match=r"profile_device .*materialise the tables before"):
        compared(warehouse)


def test_every_feature_of_the_group_is_compared(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 0, {FIRST: {0: 10}})

    assert list(compared(warehouse).features) == [feature.name for feature in GROUP.features]


def test_a_feature_that_was_removed_is_passed_over(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 1, {FIRST: {0: 10}, "no_longer_declared": {0: 10}})
    write(warehouse, 0, {FIRST: {0: 10}})

    assert "no_longer_declared" not in compared(warehouse).features


def test_adding_a_feature_before_all_others_loses_no_reference(warehouse: DuckDBWarehouse) -> None:
    write(warehouse, 1, {SECOND: {0: 20, 1: 20}})
    write(warehouse, 0, {FIRST: {0: 40}, SECOND: {0: 20, 1: 20}})

    found = compared(warehouse)

    assert found.reference_customers == (40,)
    assert found.features[FIRST].stability_index == 0.0
