"""A profile puts every row into exactly one bin of every column, and counts, adds up and bounds its values."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from datetime import timedelta

import pytest

from bnpl_features.derive.profile import ALL, profile_query, profile_range_query, profiles_table
from bnpl_features.derive.profiled import (
    OUTCOMES,
    PREDICTIONS,
    TRANSACTIONS,
    bin_labels,
    edges,
    group_subject,
    vectors_subject,
)
from bnpl_features.derive.query import Query, group_query, vectors_query
from bnpl_features.derive.table import group_table, vectors_table
from bnpl_features.drift.sketch import NULL_BIN, Sketch, sketch_of
from bnpl_features.drift.subjects import ALL_SUBJECTS
from bnpl_features.features.catalog import ALL_FEATURES, BEHAVIOURAL, GROUPS, group_named
from bnpl_features.features.feature import Feature, FeatureGroup, Kind
from bnpl_features.features.risk_evolution import RISK_EVOLUTION
from bnpl_features.features.segment import SEGMENT_GROUP
from bnpl_features.features.storage import Scale
from bnpl_features.features.volume import VOLUME
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS
from bnpl_features.scoring.prediction_table import predictions_table
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source
from tests.edge_cases import PARTITION

NUMERIC = [feature for feature in BEHAVIOURAL.features if feature.kind is not Kind.NAME]


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """The edge cases with every group's partition of the day, and the vectors."""
    from tests.conftest import filled_warehouse

    filled = filled_warehouse(tmp_path_factory.mktemp("profile"))
    for group in GROUPS:
        filled.replace_partition(group_table(group), PARTITION, group_query(group, PARTITION), {})
    filled.replace_partition(vectors_table(), PARTITION, vectors_query(ALL_FEATURES, PARTITION), {})
    return filled


def sketches(warehouse: DuckDBWarehouse, query: Query) -> dict[str, dict[str, Sketch]]:
    """Segment -> column -> sketch."""
    found: dict[str, dict[str, Sketch]] = {}
    columns = {column.name: column for subject in ALL_SUBJECTS for column in subject.columns}
    for batch in warehouse.read(query, {}):
        for row in batch.to_pylist():
            sketch = sketch_of(row, columns[row["feature"]])
            assert sketch is not None
            found.setdefault(row["segment"], {})[row["feature"]] = sketch
    return found


def test_a_range_of_partitions_has_the_profiles_of_its_days(computed: DuckDBWarehouse) -> None:
    days = [PARTITION - timedelta(days=1), PARTITION]
    for subject in (group_subject(VOLUME), group_subject(SEGMENT_GROUP)):
        for group in (VOLUME, RISK_EVOLUTION, SEGMENT_GROUP):
            query = group_query(group, days[0])
            computed.replace_partition(group_table(group), days[0], query, {})

        written = computed.replace_partitions(profiles_table(subject), days, profile_range_query(subject, *days), {})

        for day in days:
            of_day = Query(f"SELECT * FROM {subject.table} WHERE partition_date = @day", {"day": day})
            expected = sketches(computed, profile_query(subject, day))
            assert sketches(computed, of_day) == expected
            assert written[day].rows == len(subject.columns)


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
    profile = sketches(computed, profile_query(group_subject(group), PARTITION))[ALL]

    for feature in group.features:
        values = values_of(computed, group, feature)
        assert len(values) > 100
        assert profile[feature.name].row_count == len(values)
        assert profile[feature.name].nulls == values.count(None)
        assert profile[feature.name].bins == Counter(bin_of(feature, value) for value in values), feature.name


@pytest.mark.parametrize("feature", NUMERIC, ids=lambda feature: feature.name)
def test_moments_and_extremes_are_those_of_the_values(feature: Feature, computed: DuckDBWarehouse) -> None:
    (group,) = [group for group in GROUPS if feature in group.features]
    values = [float(v) for v in values_of(computed, group, feature) if v is not None]  # type: ignore[arg-type]

    sketch = sketches(computed, profile_query(group_subject(group), PARTITION))[ALL][feature.name]

    assert (sketch.smallest, sketch.largest) == (min(values), max(values))
    assert sketch.mean == pytest.approx(math.fsum(values) / len(values), rel=1e-9, abs=1e-9)
    assert sketch.total_of_squares == pytest.approx(math.fsum(v * v for v in values), rel=1e-9, abs=1e-9)


def test_a_profile_counts_only_its_own_day(computed: DuckDBWarehouse) -> None:
    group, before = group_named("volume"), PARTITION - timedelta(days=1)
    computed.replace_partition(group_table(group), before, group_query(group, before), {})

    sketch = sketches(computed, profile_query(group_subject(group), PARTITION))[ALL]["txn_count_7d"]

    assert sketch.row_count == len(values_of(computed, group, group.features[0]))


def test_a_statement_reads_its_relation_once_however_many_columns_there_are() -> None:
    for subject in (*map(group_subject, GROUPS), vectors_subject(ALL_FEATURES), TRANSACTIONS, OUTCOMES, PREDICTIONS):
        assert profile_query(subject, PARTITION).sql.count(f"FROM {subject.relation}\n") == 1


def test_segments_of_customers_add_up_to_the_groups(computed: DuckDBWarehouse) -> None:
    by_segment = sketches(computed, profile_query(vectors_subject(ALL_FEATURES), PARTITION))
    whole = sketches(computed, profile_query(group_subject(group_named("volume")), PARTITION))[ALL]

    assert len(by_segment) > 5
    assert all(stage in ("new", "reactivated", "active", "cooling", "dormant") for stage, _ in map(_parts, by_segment))
    together = [one["amount_mean_30d"] for one in by_segment.values()]
    assert sum(one.row_count for one in together) == whole["amount_mean_30d"].row_count
    assert [sum(bins) for bins in zip(*(one.histogram for one in together), strict=True)] == list(
        whole["amount_mean_30d"].histogram
    )


def test_purchases_and_outcomes_are_profiled_from_a_source_with_other_columns(computed: DuckDBWarehouse) -> None:
    source = Source().checkout_sql(computed.columns("transactions"))

    bought = sketches(computed, profile_query(TRANSACTIONS, PARTITION, source))
    due = sketches(computed, profile_query(OUTCOMES, PARTITION, source, {"maturity_days": 10}))

    assert sum(one["amount"].row_count for one in bought.values()) > 10
    assert set(next(iter(bought.values()))) == {column.name for column in TRANSACTIONS.columns}
    assert all(set(one) == {"defaulted", "days_to_first_missed_payment"} for one in due.values())


def test_names_that_purchases_may_have_are_those_that_models_know() -> None:
    known = {one.column: set(one.values) for one in PURCHASE_INPUTS if one.values}
    profiled = {one.name: set(one.categories) for one in TRANSACTIONS.columns if one.categories}

    assert {name: profiled[name] for name in profiled if name in known} == {
        name: known[name] for name in profiled if name in known
    }
    assert len(set(profiled) & set(known)) >= 6


def test_what_is_profiled_of_predictions_is_in_their_table() -> None:
    table = predictions_table()
    columns = {column.name for column in table.columns}

    assert PREDICTIONS.relation == table.name
    assert {"probability", "decision", "fallback", "arm", "feature_status"} <= columns
    assert {one.sql for one in PREDICTIONS.columns if one.name != "is_fallback"} <= columns


@pytest.mark.parametrize("feature", NUMERIC, ids=lambda feature: feature.name)
def test_edges_increase_and_lie_inside_what_can_be_stored(feature: Feature) -> None:
    found = edges(feature)

    assert len(found) >= 10
    assert all(a < b for a, b in itertools.pairwise(found))
    assert feature.storage.low <= found[0]
    assert found[-1] <= feature.storage.high


def test_shares_of_none_and_of_all_have_bins_of_their_own() -> None:
    share = next(f for f in group_named("temporal").features if f.name == "night_share_30d")

    assert [bin_of(share, value) for value in (0.0, 0.00001, 0.99, 1.0)] == [0, 1, 10, 11]


def test_zero_and_the_smallest_stored_value_lie_in_different_bins() -> None:
    for feature in NUMERIC:
        if feature.storage.scale is Scale.LOGARITHMIC:
            assert bin_of(feature, 0.0) == 0
            assert bin_of(feature, feature.storage.low * 1.01) == 1


@pytest.mark.parametrize("subject", [group_subject(group_named("volume")), vectors_subject(ALL_FEATURES)])
def test_a_profile_is_written_as_its_table_says(subject: object, computed: DuckDBWarehouse) -> None:
    table = profiles_table(subject)  # type: ignore[arg-type]

    computed.replace_partition(table, PARTITION, profile_query(subject, PARTITION), {})  # type: ignore[arg-type]

    assert computed.columns(table.name) == {column.name: column.type for column in table.columns}


def _parts(segment: str) -> list[str]:
    return segment.split("|")


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
