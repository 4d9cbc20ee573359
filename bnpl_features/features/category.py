"""Category: what a customer buys."""

from bnpl_features.features.feature import FeatureGroup
from bnpl_features.features.shapes import count, number, share
from bnpl_features.features.storage import linear

LARGEST_ENTROPY_NATS = 4.0
"""Reached by 55 equally frequent categories; the lender's catalogue has five."""

CATEGORY = FeatureGroup(
    name="category",
    meaning="What the customer buys.",
    owner="team:risk-features",
    purchase={
        # The entropy of a customer's categories is the mean of -ln(share of a purchase's own category).
        "own_category_share": (
            "COUNT(*) OVER (PARTITION BY customer_id, product_category) / COUNT(*) OVER (PARTITION BY customer_id)"
        ),
        "is_high_risk_category": "IF(product_risk_category = 'high', 1, 0)",
        "is_category_switch": (
            "CAST(product_category != LAG(product_category) "
            "OVER (PARTITION BY customer_id ORDER BY transaction_timestamp, transaction_id) AS INT64)"
        ),
    },
    features=(
        count("category_count_30d", "Distinct product categories.", "COUNT(DISTINCT {product_category})"),
        number(
            "category_entropy_30d",
            "Diversity: Shannon entropy of the category shares.",
            "nats",
            "ABS(AVG(LN({own_category_share})))",
            linear(0.0, LARGEST_ENTROPY_NATS, width_bytes=1),
        ),
        share("top_category_share_30d", "Share of the most frequent category.", "MAX({own_category_share})"),
        share(
            "high_risk_category_share_30d",
            "Share of purchases with product_risk_category high.",
            "AVG({is_high_risk_category})",
            risk_direction=1,
        ),
        share(
            "category_switch_share_30d",
            "Share of consecutive purchases whose category differs; null under two purchases.",
            "AVG({is_category_switch})",
        ),
    ),
)
