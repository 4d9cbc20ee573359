"""Device: from where a customer buys."""

from bnpl_features.features.feature import FeatureGroup
from bnpl_features.features.shapes import count, share

_ALL = "NULLIF(SUM(purchases), 0)"

DEVICE = FeatureGroup(
    name="device",
    meaning="From where the customer buys.",
    owner="team:risk-features",
    history=True,
    rows="""
  SELECT
    customer_id,
    device_id,
    MAX(days_ago) < 30 AS is_new,
    COUNT(IF(days_ago < 30, 1, NULL)) AS purchases,
    COUNT(IF(days_ago < 30 AND device_is_trusted, 1, NULL)) AS trusted_purchases,
    COUNT(IF(days_ago < 30 AND device_type = 'mobile', 1, NULL)) AS mobile_purchases
  FROM purchases
  GROUP BY customer_id, device_id
""",
    features=(
        count("device_count_30d", "Distinct devices.", "COUNT(IF(purchases > 0, 1, NULL))"),
        share("top_device_share_30d", "Consistency: share of the most used device.", f"MAX(purchases) / {_ALL}"),
        share(
            "trusted_device_share_30d",
            "Share of purchases from a trusted device.",
            f"SUM(trusted_purchases) / {_ALL}",
            risk_direction=-1,
        ),
        share(
            "new_device_share_30d",
            "Share of purchases from a device first seen, in the look-back, inside the window.",
            f"SUM(IF(is_new, purchases, 0)) / {_ALL}",
            risk_direction=1,
        ),
        share("mobile_share_30d", "Share of purchases from a mobile device.", f"SUM(mobile_purchases) / {_ALL}"),
    ),
)
