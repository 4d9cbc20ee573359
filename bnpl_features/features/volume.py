"""Volume: how much and how often a customer buys."""

from bnpl_features.features.feature import MONTH, QUARTER, WEEK, FeatureGroup
from bnpl_features.features.shapes import count, number
from bnpl_features.features.storage import logarithmic

AMOUNT_USD = logarithmic(0.01, 10_000_000.0)
RATIO = logarithmic(0.0001, 1_000.0)

VOLUME = FeatureGroup(
    name="volume",
    meaning="How much and how often the customer buys.",
    owner="team:risk-features",
    history=True,
    purchase={
        "is_latest_limit": (
            "payment_credit_limit IS NOT NULL AND transaction_timestamp = "
            "MAX(IF(payment_credit_limit IS NOT NULL, transaction_timestamp, NULL)) OVER (PARTITION BY customer_id)"
        ),
    },
    features=(
        count("txn_count_7d", "Completed purchases in 7 days.", "COUNT({transaction_timestamp})", window=WEEK),
        count("txn_count_30d", "Completed purchases in 30 days.", "COUNT({transaction_timestamp})"),
        count(
            "txn_count_90d",
            "Completed purchases in 90 days.",
            "COUNT({transaction_timestamp})",
            window=QUARTER,
        ),
        number("amount_sum_30d", "Sum of amount.", "USD", "COALESCE(SUM({amount}), 0)", AMOUNT_USD, empty=0.0),
        number("amount_mean_30d", "Mean amount.", "USD", "AVG({amount})", AMOUNT_USD),
        number("amount_max_30d", "Largest amount.", "USD", "MAX({amount})", AMOUNT_USD),
        number(
            "amount_std_30d",
            "Sample standard deviation of amount; null under two purchases.",
            "USD",
            "STDDEV_SAMP({amount})",
            AMOUNT_USD,
        ),
        number(
            "amount_cv_30d",
            "Spending volatility: amount_std_30d / amount_mean_30d; null where the mean is zero.",
            "ratio",
            "STDDEV_SAMP({amount}) / NULLIF(AVG({amount}), 0)",
            RATIO,
        ),
        count(
            "active_days_30d",
            "Distinct dates with a purchase.",
            "COALESCE(BIT_COUNT(BIT_OR(1 << {days_ago})), 0)",  # a bit a day: no set of days has to be kept
            unit="days",
            upper=MONTH.days,
        ),
        number(
            "credit_utilization_30d",
            "amount_sum_30d / the latest known payment_credit_limit (the larger where two share a timestamp).",
            "ratio",
            "SUM({amount}) / NULLIF(MAX(IF(is_latest_limit, payment_credit_limit, NULL)), 0)",
            RATIO,
            risk_direction=1,
        ),
    ),
)
