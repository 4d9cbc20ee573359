"""What the client serves, beside what the warehouse holds."""

from assets.feature_vectors import VECTORS_TABLE
from tests.code_location import DAY, YESTERDAY, CodeLocation


def test_published_day_is_served_as_the_warehouse_holds_it(location: CodeLocation) -> None:
    evaluation = location.evaluate("published_features", "consistency", YESTERDAY)

    assert evaluation.passed
    assert evaluation.metadata["sampled"].value > 100
    assert evaluation.metadata["mismatches"].value == 0


def test_value_that_differs_from_the_warehouse_is_reported(location: CodeLocation) -> None:
    changed = "txn_count_30d + 1 AS txn_count_30d"
    location.doctor(VECTORS_TABLE, f"* EXCEPT (partition_date) REPLACE ({changed}) FROM feature_vectors", YESTERDAY)

    evaluation = location.evaluate("published_features", "consistency", YESTERDAY)

    assert not evaluation.passed
    assert not evaluation.blocking
    assert "txn_count_30d" in evaluation.description


def test_day_that_is_not_the_one_served_is_reported(location: CodeLocation) -> None:
    evaluation = location.evaluate("published_features", "consistency", DAY)

    assert not evaluation.passed
    assert f"the store serves {YESTERDAY}, not {DAY}" in evaluation.description


def test_store_that_serves_nothing_is_reported(location: CodeLocation) -> None:
    evaluation = location.having(BNPL_NAMESPACE="empty").evaluate("published_features", "consistency", YESTERDAY)

    assert not evaluation.passed
    assert "the store serves nothing" in evaluation.description


def test_customers_of_the_sample_who_were_erased_are_left_out(location: CodeLocation) -> None:
    before = location.evaluate("published_features", "consistency", YESTERDAY)
    for customer_id in location.customers(YESTERDAY)[:3]:  # the sample has every customer of so few
        location.erase(customer_id)

    evaluation = location.evaluate("published_features", "consistency", YESTERDAY)

    assert evaluation.passed
    assert evaluation.metadata["sampled"].value == before.metadata["sampled"].value - 3


def test_a_sample_of_which_everyone_was_erased_passes(location: CodeLocation) -> None:
    for customer_id in location.customers(YESTERDAY):
        location.erase(customer_id)

    evaluation = location.evaluate("published_features", "consistency", YESTERDAY)

    assert evaluation.passed
    assert evaluation.metadata["sampled"].value == 0
