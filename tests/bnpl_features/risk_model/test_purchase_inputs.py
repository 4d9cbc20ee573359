"""What may be an input, and how one purchase is encoded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from bnpl_features.errors import ModelInputError
from bnpl_features.features.feature import DeclarationError
from bnpl_features.features.purchase import PURCHASE_COLUMNS
from bnpl_features.risk_model.columns import encode_column, unlisted
from bnpl_features.risk_model.encoding import encode_purchase
from bnpl_features.risk_model.purchase_inputs import EXCLUDED, OUTCOMES, PURCHASE_INPUTS, PurchaseInput
from bnpl_features.simulator import TRANSACTIONS, simulate
from tests.lender import POPULATION

PURCHASE: dict[str, Any] = {
    "transaction_timestamp": "2026-01-31T23:59:59Z",  # a Saturday
    "amount": 120.5,
    "installment_count": 4,
    "risk_score": 0.4,
    "product_category": "home",
    "product_risk_category": "high",
    "device_type": "mobile",
    "device_is_trusted": True,
    "purchase_context": "rushed",
    "checkout_speed": "very_fast",
}


def encoded(**changed: Any) -> dict[str, float]:
    values = encode_purchase(PURCHASE_INPUTS, PURCHASE | changed)
    return dict(zip((one.name for one in PURCHASE_INPUTS), values, strict=True))


def test_every_column_is_an_input_an_outcome_or_excluded_with_a_reason() -> None:
    read = {one.column for one in PURCHASE_INPUTS}

    assert {column.name for column in PURCHASE_COLUMNS} == read | set(OUTCOMES) | set(EXCLUDED)
    assert not read & (set(OUTCOMES) | set(EXCLUDED))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_cannot_be_declared_as_an_input(outcome: str) -> None:
    with pytest.raises(DeclarationError, match="not known at checkout"):
        PurchaseInput("innocent", outcome)


def test_a_purchase_is_encoded_in_the_declared_order() -> None:
    found = encoded()

    assert found["amount"] == 120.5
    assert found["device_is_trusted"] == 1.0
    assert found["product_risk_category"] == 2.0
    assert found["checkout_speed"] == 3.0
    assert (found["hour_of_day"], found["day_of_week"]) == (23.0, 5.0)
    assert np.isnan(found["customer_income_bracket"]), "optional, and not said"


def test_a_time_of_another_zone_is_that_of_utc() -> None:
    found = encoded(transaction_timestamp="2026-02-01T00:30:00+02:00")

    assert (found["hour_of_day"], found["day_of_week"]) == (22.0, 5.0)


def test_a_name_outside_an_open_set_is_as_if_not_said() -> None:
    assert np.isnan(encoded(product_category="gardening")["product_category"])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount", None),
        ("amount", "120"),
        ("amount", True),
        ("amount", -1.0),
        ("amount", float("nan")),
        ("amount", float("inf")),
        ("amount", 10**400),
        ("device_is_trusted", 1),
        ("device_type", "watch"),
        ("device_type", 3),
        ("product_category", ["home"]),
        ("transaction_timestamp", "2026-01-31T23:59:59"),
        ("transaction_timestamp", "soon"),
        ("transaction_timestamp", datetime(2026, 1, 31)),
        ("transaction_timestamp", 1_700_000_000),
        ("transaction_timestamp", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_value_that_cannot_be_scored_is_refused_by_the_name_of_its_field(column: str, value: object) -> None:
    with pytest.raises(ModelInputError, match=column) as caught:
        encoded(**{column: value})

    assert caught.value.column == column


def test_a_purchase_and_a_column_of_purchases_give_the_same_numbers() -> None:
    batch = next(iter(simulate(POPULATION))).slice(0, 500)

    columns = np.stack([encode_column(one, batch.column(one.column)) for one in PURCHASE_INPUTS], axis=1)

    singly = np.array([encode_purchase(PURCHASE_INPUTS, row) for row in batch.to_pylist()], dtype=np.float32)
    np.testing.assert_array_equal(columns, singly)
    assert batch.schema == TRANSACTIONS


def test_times_before_1970_and_unlisted_names_of_a_column() -> None:
    by_name = {one.name: one for one in PURCHASE_INPUTS}
    early = pa.array([datetime(1969, 12, 31, 22, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))

    assert encode_column(by_name["hour_of_day"], early) == [22.0]
    assert encode_column(by_name["day_of_week"], early) == [2.0]
    assert unlisted(by_name["product_category"], pa.array(["home", "garden", None])) == 1


def test_an_input_survives_its_description() -> None:
    assert tuple(PurchaseInput.from_json(one.to_json()) for one in PURCHASE_INPUTS) == PURCHASE_INPUTS
