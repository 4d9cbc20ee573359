"""Simulated purchases have the canonical columns, in order, with the canonical types."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from bnpl_features.features.purchase import PURCHASE_COLUMNS, ColumnType
from bnpl_features.simulator import TRANSACTIONS, marginals

ARROW = {
    ColumnType.STRING: pa.string(),
    ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    ColumnType.FLOAT64: pa.float64(),
    ColumnType.INT64: pa.int64(),
    ColumnType.BOOL: pa.bool_(),
}
DOMAINS = {
    "status": {"completed", "pending", "failed", "cancelled"},
    "product_category": {"electronics", "clothing", "home", "beauty", "sports"},
    "product_risk_category": {"low", "medium", "high"},
    "device_type": {"mobile", "desktop", "tablet"},
    "risk_level": {"low", "medium", "high", "very_high"},
    "purchase_context": {"normal", "impulse", "rushed"},
    "checkout_speed": {"slow", "normal", "fast", "very_fast"},
    "payment_provider": {"affirm", "afterpay", "klarna", "sezzle"},
    "installment_count": {4, 6},
    "payment_credit_limit": {500.0, 1000.0, 1500.0, 2500.0, 5000.0, None},
    "customer_age_bracket": {"18-24", "25-34", "35-44", "45-54", "55+"},
    "customer_income_bracket": {"<25k", "25k-50k", "50k-75k", "75k-100k", "100k+"},
    "customer_credit_score_range": {"poor", "fair", "good", "excellent"},
    "customer_verification_level": {"unverified", "partial", "verified"},
    "customer_address_stability": {"frequent_mover", "new", "stable"},
    "customer_state": set(marginals.STATES),
    "cart_abandonment_count": {0, 1, 2, 3},
}
NULLABLE = {"payment_credit_limit", "days_to_first_missed_payment"}


def test_the_schema_is_that_of_the_source_contract() -> None:
    assert [(field.name, field.type) for field in TRANSACTIONS] == [
        (column.name, ARROW[column.type]) for column in PURCHASE_COLUMNS
    ]


def test_every_table_has_exactly_this_schema(year: pa.Table) -> None:
    year.validate(full=True)

    assert year.schema == TRANSACTIONS


def test_every_value_of_a_closed_column_is_known_and_every_known_value_occurs(year: pa.Table) -> None:
    assert {name: set(pc.unique(year[name]).to_pylist()) for name in DOMAINS} == DOMAINS


def test_only_the_credit_limit_and_the_missed_payment_are_ever_null(year: pa.Table) -> None:
    assert {name for name in year.column_names if year[name].null_count} == NULLABLE


def test_transaction_ids_are_unique(year: pa.Table) -> None:
    assert pc.count_distinct(year["transaction_id"]).as_py() == year.num_rows


def test_numbers_are_in_the_lenders_units(year: pa.Table) -> None:
    amount, first = year["amount"].to_numpy(), year["first_payment_amount"].to_numpy()
    score = year["risk_score"].to_numpy()

    assert amount.min() >= 10
    assert amount.max() <= 1_500
    assert abs(first - amount / 4).max() < 0.0051
    assert score.min() >= 0.01
    assert score.max() <= 0.99
    assert 30 <= pc.min(year["time_on_site_seconds"]).as_py() <= pc.max(year["time_on_site_seconds"]).as_py() <= 900
    assert 0 <= pc.min(year["price_comparison_time"]).as_py() <= pc.max(year["price_comparison_time"]).as_py() <= 300


def test_risk_levels_follow_the_risk_score(year: pa.Table) -> None:
    seen = year.group_by("risk_level").aggregate([("risk_score", "min"), ("risk_score", "max")]).to_pylist()

    ranges = {row["risk_level"]: (row["risk_score_min"], row["risk_score_max"]) for row in seen}

    assert ranges["low"][1] < 0.3 <= ranges["medium"][0]
    assert ranges["medium"][1] < 0.6 <= ranges["high"][0]
    assert ranges["high"][1] < 0.8 <= ranges["very_high"][0]
