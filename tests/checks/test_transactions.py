"""The day's purchases: as the contract says, in the usual number, to the end of the day."""

from datetime import UTC, datetime, time

import pyarrow.compute as pc
import pytest

from bnpl_features.simulator import ConstantColumn, DuplicatedRows, Fault, MissingDays, NullColumn
from tests.code_location import DAY, ONE_DAY, CodeLocation, purchases, why


@pytest.mark.parametrize("name", ["contract", "volume", "freshness"])
def test_good_day_passes(location: CodeLocation, name: str) -> None:
    evaluation = location.evaluate("transactions", name)

    assert evaluation.passed
    assert evaluation.partition == DAY.isoformat()
    assert evaluation.blocking == (name != "freshness")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (ConstantColumn("amount", -5.0, DAY, DAY), "negative"),
        (ConstantColumn("amount", float("nan"), DAY, DAY), "NaN"),
        (NullColumn("customer_id", DAY, DAY), "null or empty customer_id"),
        (DuplicatedRows(0.3, DAY, DAY), "the identity of another row"),
    ],
    ids=["negative", "nan", "null id", "duplicates"],
)
def test_purchases_that_break_the_contract_fail_and_are_counted(
    location: CodeLocation, fault: Fault, says: str
) -> None:
    location.receive(fault)

    evaluation = location.evaluate("transactions", "contract")

    assert not evaluation.passed
    assert f"{DAY}: " in evaluation.description
    assert says in evaluation.description
    assert location.evaluate("transactions", "contract", DAY - ONE_DAY).passed


def test_misnamed_column_fails_and_the_mend_is_named(location: CodeLocation) -> None:
    names = ["_timestamp" if name == "transaction_timestamp" else name for name in purchases().column_names]
    location.receive_table(purchases().rename_columns(names), "lender_purchases")
    own = location.having(BNPL_TRANSACTIONS="lender_purchases")

    evaluation = own.evaluate("transactions", "contract")

    assert not evaluation.passed
    assert "'transaction_timestamp' (TIMESTAMP) is missing" in evaluation.description
    assert "transaction_timestamp=_timestamp" in evaluation.description
    assert own.having(BNPL_COLUMN_TRANSACTION_TIMESTAMP="_timestamp").evaluate("transactions", "contract").passed


def test_column_of_the_wrong_type_fails(location: CodeLocation) -> None:
    position = purchases().column_names.index("amount")
    location.receive_table(purchases().set_column(position, "amount", purchases()["amount"].cast("string")))

    evaluation = location.evaluate("transactions", "contract")

    assert not evaluation.passed
    assert "column 'amount' is STRING, but must be FLOAT64" in evaluation.description


def test_relation_that_does_not_exist_fails_the_run_by_name(location: CodeLocation) -> None:
    result = location.having(BNPL_TRANSACTIONS="purchases_of_ours").run_check("transactions", "contract")

    assert not result.success
    assert "purchases_of_ours" in why(result)


def test_empty_day_fails(location: CodeLocation) -> None:
    location.receive(MissingDays(DAY, DAY))

    evaluation = location.evaluate("transactions", "volume")

    assert not evaluation.passed
    assert evaluation.description == f"{DAY} has no purchases; load it, or see why the source is empty"


def test_day_with_a_tenth_of_the_usual_purchases_fails(location: CodeLocation) -> None:
    is_before = pc.less(purchases()["transaction_timestamp"], datetime.combine(DAY, time(), UTC))
    is_one_in_ten = pc.ends_with(purchases()["customer_id"], "1")
    location.receive_table(purchases().filter(pc.or_(is_before, is_one_in_ten)))

    evaluation = location.evaluate("transactions", "volume")

    assert not evaluation.passed
    assert "the days before it" in evaluation.description


def test_day_that_ends_in_the_afternoon_is_not_fresh(location: CodeLocation) -> None:
    cut_short = datetime.combine(DAY, time(15), UTC)
    location.receive_table(purchases().filter(pc.less(purchases()["transaction_timestamp"], cut_short)))

    evaluation = location.evaluate("transactions", "freshness")

    assert not evaluation.passed
    assert f"the newest purchase of {DAY} is of {DAY} 1" in evaluation.description


def test_empty_day_is_not_fresh(location: CodeLocation) -> None:
    location.receive(MissingDays(DAY, DAY))

    evaluation = location.evaluate("transactions", "freshness")

    assert not evaluation.passed
    assert "no time at all" in evaluation.description
