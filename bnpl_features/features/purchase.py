"""The source contract: what a row of `transactions`, one BNPL purchase, holds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ColumnType(StrEnum):
    """Canonical types, by their BigQuery names."""

    STRING = "STRING"
    TIMESTAMP = "TIMESTAMP"
    FLOAT64 = "FLOAT64"
    INT64 = "INT64"
    BOOL = "BOOL"


@dataclass(frozen=True)
class Column:
    """One column of the contract. `required` columns are never null; `alias` is a name found in the lender's files."""

    name: str
    type: ColumnType
    meaning: str
    required: bool = True
    alias: str = ""
    feature_input: bool = True


def _checkout(name: str, kind: ColumnType, meaning: str) -> Column:
    """A column that only the transaction-time model reads; a source may lack it."""
    return Column(name, kind, meaning, required=False, feature_input=False)


PURCHASE_COLUMNS: tuple[Column, ...] = (
    Column("transaction_id", ColumnType.STRING, "Identifies the purchase, with customer_id and timestamp."),
    Column("customer_id", ColumnType.STRING, "The customer."),
    Column("transaction_timestamp", ColumnType.TIMESTAMP, "Completion of checkout, UTC.", alias="_timestamp"),
    Column("amount", ColumnType.FLOAT64, "USD, at least 0."),
    Column("status", ColumnType.STRING, "completed, pending, failed or cancelled."),
    Column("product_category", ColumnType.STRING, "electronics, clothing, home, ... (open set)."),
    Column("product_risk_category", ColumnType.STRING, "low, medium or high."),
    Column("device_id", ColumnType.STRING, "The device bought from."),
    Column("device_type", ColumnType.STRING, "mobile, desktop or tablet."),
    Column("device_is_trusted", ColumnType.BOOL, "Whether the lender trusts the device."),
    Column("risk_score", ColumnType.FLOAT64, "Underwriting score at checkout, 0..1."),
    Column("risk_level", ColumnType.STRING, "low, medium, high or very_high."),
    Column("purchase_context", ColumnType.STRING, "normal, impulse or rushed."),
    Column("checkout_speed", ColumnType.STRING, "slow, normal, fast or very_fast."),
    Column("payment_credit_limit", ColumnType.FLOAT64, "USD.", required=False),
    Column("installment_count", ColumnType.INT64, "Number of installments."),
    Column("will_default", ColumnType.BOOL, "Outcome, known later.", required=False, feature_input=False),
    Column("days_to_first_missed_payment", ColumnType.INT64, "Outcome, known later.", required=False),
    _checkout("product_price", ColumnType.FLOAT64, "USD."),
    _checkout("payment_provider", ColumnType.STRING, "The BNPL provider."),
    _checkout("time_on_site_seconds", ColumnType.INT64, "Seconds on the site before checkout."),
    _checkout("price_comparison_time", ColumnType.INT64, "Seconds spent comparing prices."),
    _checkout("cart_abandonment_count", ColumnType.INT64, "Carts abandoned before this one."),
    _checkout("first_payment_amount", ColumnType.FLOAT64, "USD, first installment."),
    _checkout("customer_age_bracket", ColumnType.STRING, "Age bracket."),
    _checkout("customer_income_bracket", ColumnType.STRING, "Income bracket."),
    _checkout("customer_credit_score_range", ColumnType.STRING, "Credit score range."),
    _checkout("customer_verification_level", ColumnType.STRING, "Identity verification."),
    _checkout("customer_address_stability", ColumnType.STRING, "Address stability."),
    _checkout("customer_tenure_days", ColumnType.INT64, "Days since the customer signed up."),
    _checkout("customer_state", ColumnType.STRING, "US state."),
)

IDENTITY = ("transaction_id", "customer_id", "transaction_timestamp")
"""What identifies a purchase: the lender's transaction_id alone restarts every day."""

TIMESTAMP_COLUMN = "transaction_timestamp"
COMPLETED = "completed"
