"""The Arrow schema of `transactions`, one row a purchase, as the feature dictionary fixes it."""

from __future__ import annotations

import pyarrow as pa

TRANSACTIONS: pa.Schema = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("customer_id", pa.string()),
        ("transaction_timestamp", pa.timestamp("us", tz="UTC")),
        ("amount", pa.float64()),
        ("status", pa.string()),
        ("product_category", pa.string()),
        ("product_risk_category", pa.string()),
        ("device_id", pa.string()),
        ("device_type", pa.string()),
        ("device_is_trusted", pa.bool_()),
        ("risk_score", pa.float64()),
        ("risk_level", pa.string()),
        ("purchase_context", pa.string()),
        ("checkout_speed", pa.string()),
        ("payment_credit_limit", pa.float64()),
        ("installment_count", pa.int64()),
        ("will_default", pa.bool_()),
        ("days_to_first_missed_payment", pa.int64()),
        # From here on: read by the transaction-time model only.
        ("product_price", pa.float64()),
        ("payment_provider", pa.string()),
        ("time_on_site_seconds", pa.int64()),
        ("price_comparison_time", pa.int64()),
        ("cart_abandonment_count", pa.int64()),
        ("first_payment_amount", pa.float64()),
        ("customer_age_bracket", pa.string()),
        ("customer_income_bracket", pa.string()),
        ("customer_credit_score_range", pa.string()),
        ("customer_verification_level", pa.string()),
        ("customer_address_stability", pa.string()),
        ("customer_tenure_days", pa.int64()),
        ("customer_state", pa.string()),
    ]
)
