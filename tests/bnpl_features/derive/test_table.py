"""Tables are keyed by day and customer, typed as declared and described by the declarations."""

from __future__ import annotations

import pytest

from bnpl_features.derive.table import group_table, transactions_table, vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS
from bnpl_features.features.feature import FeatureGroup


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_groups_table_has_a_column_a_feature_after_the_keys(group: FeatureGroup) -> None:
    table = group_table(group)

    assert table.name == f"feature_{group.name}"
    assert table.partition_column == "partition_date"
    assert table.cluster_by == ("customer_id",)
    assert [(c.name, c.type, c.nullable) for c in table.columns[:2]] == [
        ("partition_date", "DATE", False),
        ("customer_id", "STRING", False),
    ]
    for column, feature in zip(table.columns[2:], group.features, strict=True):
        assert (column.name, column.type, column.nullable) == (feature.name, feature.kind.value, feature.nullable)
        assert column.description == f"{feature.meaning} [{feature.unit}]"


def test_the_vectors_table_has_all_features_in_the_sets_order() -> None:
    names = [column.name for column in vectors_table(BEHAVIOURAL).columns]

    assert names == ["partition_date", "customer_id", *(feature.name for feature in BEHAVIOURAL.features)]


def test_transactions_are_partitioned_by_their_timestamp() -> None:
    table = transactions_table()

    assert (table.partition_column, table.cluster_by) == ("transaction_timestamp", ("customer_id",))
    assert {column.name for column in table.columns if not column.nullable} >= {"customer_id", "amount", "status"}
    assert "days_to_first_missed_payment" in {column.name for column in table.columns if column.nullable}
