"""A profile puts every customer into exactly one bin of every feature."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

import pytest

from bnpl_features.derive.profile import NULL_BIN, bin_labels, edges, profile_query
from bnpl_features.derive.query import Query, group_query
from bnpl_features.derive.table import group_table, profiles_table
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS, group_named
from bnpl_features.features.feature import Feature, FeatureGroup, Kind
from bnpl_features.features.storage import Scale
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.edge_cases import PARTITION

NUMERIC = [feature for feature in BEHAVIOURAL.features if feature.kind is not Kind.NAME]
Bins = dict[str, Counter[int]]


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """The edge cases with every group's partition of the day."""
    from tests.conftest import filled_warehouse

    filled = filled_warehouse(tmp_path_factory.mktemp("profile"))
    for group in GROUPS:
        filled.replace_partition(group_table(group), PARTITION, group_query(group, PARTITION), {})
    return filled


def profile_of(warehouse: DuckDBWarehouse, group: FeatureGroup) -> Bins:
    found: Bins = {feature.name: Counter() for feature in group.features}
    for batch in warehouse.read(profile_query(group, PARTITION), {}):
        for row in batch.to_pylist():
            found[row["feature"]][row["bin"]] += row["customers"]
    return found


def values_of(warehouse: DuckDBWarehouse, group: FeatureGroup, feature: Feature) -> list[object]:
    batches = warehouse.read_partition(group_table(group), PARTITION, (feature.name,), {})
    return [value for batch in batches for value in batch.column(0).to_pylist()]


def bin_of(feature: Feature, value: object) -> int:
    """By hand: the number of edges that the value has reached."""
    if value is None:
        return NULL_BIN
    if isinstance(value, str):
        return feature.storage.names.index(value)
    return sum(edge <= value for edge in edges(feature))  # type: ignore[operator]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_customer_is_in_one_bin_of_every_feature(group: FeatureGroup, computed: DuckDBWarehouse) -> None:
    profile = profile_of(computed, group)

    for feature in group.features:
        values = values_of(computed, group, feature)
        assert len(values) > 100
        assert profile[feature.name] == Counter(bin_of(feature, value) for value in values), feature.name
        assert profile[feature.name][NULL_BIN] == values.count(None), feature.name


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_profile_counts_only_its_own_day(group: FeatureGroup, computed: DuckDBWarehouse) -> None:
    before = PARTITION - timedelta(days=1)
    computed.replace_partition(group_table(group), before, group_query(group, before), {})

    (size,) = computed.read(
        Query(f"SELECT COUNT(*) FROM {group.table} WHERE partition_date = @day", {"day": PARTITION}), {}
    )
    for bins in profile_of(computed, group).values():
        assert sum(bins.values()) == size.column(0)[0].as_py()


@pytest.mark.parametrize("feature", NUMERIC, ids=lambda feature: feature.name)
def test_edges_increase_and_lie_inside_what_can_be_stored(feature: Feature) -> None:
    found = edges(feature)

    assert len(found) >= 10
    assert all(a < b for a, b in itertools.pairwise(found))
    assert feature.storage.low <= found[0]
    assert found[-1] <= feature.storage.high


@pytest.mark.parametrize("feature", NUMERIC, ids=lambda feature: feature.name)
def test_a_bin_holds_its_lower_edge_and_not_its_upper(feature: Feature, computed: DuckDBWarehouse) -> None:
    (group,) = [group for group in GROUPS if feature in group.features]
    kind = feature.kind.value
    others = ", ".join(
        f"CAST(NULL AS {other.kind.value}) AS {other.name}" for other in group.features if other is not feature
    )
    rows = [
        f"SELECT 'c{n}' AS customer_id, CAST({edge!r} AS {kind}) AS {feature.name}, {others}"
        for n, edge in enumerate(edges(feature))
    ]
    day = PARTITION + timedelta(days=100)
    computed.replace_partition(group_table(group), day, Query("\nUNION ALL\n".join(rows), {}), {})

    batches = computed.read(profile_query(group, day), {})
    found = {r["bin"]: r["customers"] for b in batches for r in b.to_pylist() if r["feature"] == feature.name}

    expected = Counter(bin_of(feature, float(edge) if kind == "FLOAT64" else int(edge)) for edge in edges(feature))
    assert found == expected


def test_shares_of_none_and_of_all_have_bins_of_their_own() -> None:
    share = next(f for f in group_named("temporal").features if f.name == "night_share_30d")

    assert [bin_of(share, value) for value in (0.0, 0.00001, 0.99, 1.0)] == [0, 1, 10, 11]


def test_zero_and_the_smallest_stored_value_lie_in_different_bins() -> None:
    for feature in NUMERIC:
        if feature.storage.scale is Scale.LOGARITHMIC:
            assert bin_of(feature, 0.0) == 0
            assert bin_of(feature, feature.storage.low * 1.01) == 1


def test_the_bin_of_a_name_is_its_position() -> None:
    (stage,) = [feature for feature in BEHAVIOURAL.features if feature.kind is Kind.NAME]

    assert [bin_of(stage, name) for name in stage.storage.names] == list(range(len(stage.storage.names)))


def test_a_profile_is_written_as_its_table_says(computed: DuckDBWarehouse) -> None:
    group = group_named("volume")
    table = profiles_table(group)

    computed.replace_partition(table, PARTITION, profile_query(group, PARTITION), {})

    assert set(computed.columns(table.name)) == {column.name for column in table.columns}
    assert computed.columns(table.name)["bin"] == computed.columns(table.name)["customers"] == "INT64"


@pytest.mark.parametrize("feature", BEHAVIOURAL.features, ids=lambda feature: feature.name)
def test_every_bin_has_a_label_of_its_own(feature: Feature) -> None:
    labels = bin_labels(feature)

    assert len(labels) == len(set(labels)) == len(feature.storage.names or edges(feature)) + (not feature.storage.names)


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("txn_count_7d", 0, "0"),
        ("txn_count_7d", 4, "3–4"),
        ("txn_count_7d", 5, "5–7"),
        ("txn_count_7d", 250, "from 233"),
        ("night_share_30d", 0.0, "0"),
        ("night_share_30d", 0.05, "0–0.1"),
        ("night_share_30d", 1.0, "1"),
        ("amount_sum_30d", 0.0, "under 0.01"),
        ("amount_sum_30d", 20.0, "10–31.6"),
        ("amount_trend_90d", -0.5, "-1–-0.1"),
        ("lifecycle_stage", "dormant", "dormant"),
    ],
)
def test_the_label_of_a_bin_says_which_values_are_in_it(name: str, value: object, label: str) -> None:
    feature = next(one for one in BEHAVIOURAL.features if one.name == name)

    assert bin_labels(feature)[bin_of(feature, value)] == label
