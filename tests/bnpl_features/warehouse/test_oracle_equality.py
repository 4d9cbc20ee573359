"""Both engines give what an independent reading of the feature dictionary gives, on data made of edges."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from bnpl_features.derive.query import group_query
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS, PURCHASE_GROUPS
from bnpl_features.features.feature import FeatureGroup, Kind
from bnpl_features.features.segment import SEGMENT_GROUP
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests import oracle
from tests.edge_cases import PARTITIONS, edge_case_transactions


@pytest.fixture(scope="module", params=PARTITIONS, ids=str)
def partition(request: pytest.FixtureRequest) -> date:
    return request.param


@pytest.fixture(scope="module")
def expected(partition: date) -> pd.DataFrame:
    return oracle.features(edge_case_transactions().to_pandas(), partition).set_index("customer_id").sort_index()


@pytest.mark.parametrize("group", PURCHASE_GROUPS, ids=lambda group: group.name)
def test_duckdb_gives_the_oracles_rows(
    group: FeatureGroup, partition: date, expected: pd.DataFrame, edge_case_warehouse: DuckDBWarehouse
) -> None:
    batches = edge_case_warehouse.read(group_query(group, partition), {})

    assert_same_features(pa.Table.from_batches(list(batches)), expected, group)


def test_duckdb_gives_the_oracles_segments(
    partition: date,
    expected: pd.DataFrame,
    edge_case_warehouse: DuckDBWarehouse,
    tmp_path: Path,
) -> None:
    computed = DuckDBWarehouse(tmp_path)
    for group in SEGMENT_GROUP.of:
        batches = edge_case_warehouse.read(group_query(group, partition), {})
        computed.replace_partition_rows(group_table(group), partition, batches, {})

    rows = pa.Table.from_batches(list(computed.read(group_query(SEGMENT_GROUP, partition), {})))

    assert_same_features(rows, expected, SEGMENT_GROUP)


def assert_same_features(rows: pa.Table, expected: pd.DataFrame, group: FeatureGroup) -> None:
    """Every customer and every value, floats to 1e-9 relative (1e-9 absolute around zero)."""
    found = rows.to_pandas().set_index("customer_id").sort_index()
    assert list(found.index) == list(expected.index)
    for feature in group.features:
        ours, theirs = found[feature.name], expected[feature.name]
        if feature.kind is Kind.NAME:
            assert ours.tolist() == theirs.tolist(), feature.name
            continue
        pd.testing.assert_series_equal(
            ours.astype("float64"), theirs.astype("float64"), rtol=1e-9, atol=1e-9, check_names=False, obj=feature.name
        )


def test_the_oracle_and_the_catalogue_declare_the_same_features() -> None:
    assert {g.name: tuple(f.name for f in g.features) for g in GROUPS} == oracle.GROUPS
