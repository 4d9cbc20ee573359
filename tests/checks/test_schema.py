"""A row that does not keep to its declaration fails its table's check, and the check says which and how often."""

import pytest

from assets.feature_vectors import VECTORS_TABLE
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS
from tests.code_location import CodeLocation

VOLUME = group_table(next(group for group in GROUPS if group.name == "volume"))
ONE = "customer_id = 'cust_0000001'"


def test_good_rows_pass(location: CodeLocation) -> None:
    for table in (VOLUME, VECTORS_TABLE):
        evaluation = location.evaluate(table.name, "schema")
        assert evaluation.passed
        assert evaluation.metadata["rows"].value > 100
        assert evaluation.metadata["violations"].value == 0


@pytest.mark.parametrize(
    ("replacement", "says"),
    [
        (f"IF({ONE}, -5.0, amount_sum_30d) AS amount_sum_30d", "amount_sum_30d breaks greater_than_or_equal_to(0"),
        (f"IF({ONE}, CAST('NaN' AS FLOAT64), amount_mean_30d) AS amount_mean_30d", "amount_mean_30d breaks finite 1"),
        (f"IF({ONE}, CAST('inf' AS FLOAT64), amount_max_30d) AS amount_max_30d", "amount_max_30d breaks finite 1"),
        (f"IF({ONE}, NULL, txn_count_7d) AS txn_count_7d", "txn_count_7d breaks not_nullable 1"),
        (f"IF({ONE}, NULL, customer_id) AS customer_id", "customer_id breaks not_nullable 1"),
    ],
)
def test_doctored_value_fails_and_is_named(location: CodeLocation, replacement: str, says: str) -> None:
    location.doctor(VOLUME, f"* EXCEPT (partition_date) REPLACE ({replacement}) FROM {VOLUME.name}")

    evaluation = location.evaluate(VOLUME.name, "schema")

    assert not evaluation.passed
    assert says in evaluation.description


def test_vector_out_of_bounds_fails(location: CodeLocation) -> None:
    doctored = f"IF({ONE}, 1.5, night_share_30d) AS night_share_30d"
    location.doctor(VECTORS_TABLE, f"* EXCEPT (partition_date) REPLACE ({doctored}) FROM {VECTORS_TABLE.name}")

    evaluation = location.evaluate("feature_vectors", "schema")

    assert not evaluation.passed
    assert "night_share_30d breaks less_than_or_equal_to(1" in evaluation.description
    assert evaluation.metadata["violations"].value == 1


def test_column_of_another_type_fails(location: CodeLocation) -> None:
    as_text = "CAST(txn_count_7d AS STRING) AS txn_count_7d"
    location.doctor(VECTORS_TABLE, f"* EXCEPT (partition_date) REPLACE ({as_text}) FROM {VECTORS_TABLE.name}")

    evaluation = location.evaluate("feature_vectors", "schema")

    assert not evaluation.passed
    assert "txn_count_7d breaks dtype" in evaluation.description
