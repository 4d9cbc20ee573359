"""Everybody once, in every group, in the usual number, with no more nulls than usual."""

from assets.feature_vectors import VECTORS_TABLE
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS
from tests.code_location import DAY, CodeLocation

VOLUME, TEMPORAL = (group_table(next(g for g in GROUPS if g.name == name)) for name in ("volume", "temporal"))
ALL = "* EXCEPT (partition_date)"


def test_good_day_passes(location: CodeLocation) -> None:
    for name in ("unique_customer", "row_count", "nulls"):
        evaluation = location.evaluate(VOLUME.name, name)
        assert evaluation.passed
        assert evaluation.blocking
        assert evaluation.partition == DAY.isoformat()
    assert location.evaluate("feature_vectors", "completeness").metadata["customers"].value > 100


def test_customer_with_two_rows_fails(location: CodeLocation) -> None:
    twice = f"(SELECT * FROM {VOLUME.name} UNION ALL SELECT * FROM {VOLUME.name} WHERE customer_id = 'cust_0000001')"
    location.doctor(VOLUME, f"{ALL} FROM {twice}")

    evaluation = location.evaluate(VOLUME.name, "unique_customer")

    assert not evaluation.passed
    assert evaluation.metadata["repeated_rows"].value == 1


def test_day_with_half_of_the_usual_customers_fails(location: CodeLocation) -> None:
    location.doctor(VOLUME, f"{ALL} FROM (SELECT * FROM {VOLUME.name} WHERE SUBSTR(customer_id, -1) < '5')")

    evaluation = location.evaluate(VOLUME.name, "row_count")

    assert not evaluation.passed
    assert "the days before it" in evaluation.description


def test_day_without_customers_fails(location: CodeLocation) -> None:
    location.doctor(VOLUME, f"{ALL} FROM (SELECT * FROM {VOLUME.name} WHERE customer_id = 'nobody')")

    for name, says in (("row_count", f"{DAY} has no customers"), ("schema", "the partition has no rows")):
        evaluation = location.evaluate(VOLUME.name, name)
        assert not evaluation.passed
        assert says in evaluation.description


def test_burst_of_nulls_fails_and_names_the_feature(location: CodeLocation) -> None:
    location.doctor(VOLUME, f"{ALL} REPLACE (CAST(NULL AS FLOAT64) AS amount_mean_30d) FROM {VOLUME.name}")

    evaluation = location.evaluate(VOLUME.name, "nulls")

    assert not evaluation.passed
    assert f"amount_mean_30d is null for 100% of customers on {DAY}" in evaluation.description


def test_group_that_lacks_customers_fails(location: CodeLocation) -> None:
    location.doctor(TEMPORAL, f"{ALL} FROM (SELECT * FROM {TEMPORAL.name} WHERE customer_id <> 'cust_0000001')")

    evaluation = location.evaluate("feature_vectors", "completeness")

    assert not evaluation.passed
    assert evaluation.description == f"temporal lacks 1 customers on {DAY}"


def test_vectors_that_lack_customers_fail(location: CodeLocation) -> None:
    others = f"(SELECT * FROM {VECTORS_TABLE.name} WHERE customer_id <> 'cust_0000001')"
    location.doctor(VECTORS_TABLE, f"{ALL} FROM {others}")

    evaluation = location.evaluate("feature_vectors", "completeness")

    assert not evaluation.passed
    assert "vectors for" in evaluation.description
