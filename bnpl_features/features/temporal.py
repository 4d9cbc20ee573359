"""Temporal: when a customer buys, in UTC."""

from functools import partial

from bnpl_features.features.feature import MONTH, FeatureGroup
from bnpl_features.features.shapes import number, share
from bnpl_features.features.storage import logarithmic

_gap = partial(number, unit="hours", storage=logarithmic(1.0 / 3600.0, 720.0), upper=24.0 * MONTH.days)

TEMPORAL = FeatureGroup(
    name="temporal",
    meaning="When the customer buys.",
    owner="team:risk-features",
    purchase={
        # Counted from a Monday: EXTRACT(DAYOFWEEK) numbers the days differently from engine to engine.
        "is_weekend": "IF(MOD(DATE_DIFF(DATE(transaction_timestamp), DATE '1970-01-05', DAY), 7) >= 5, 1, 0)",
        "is_night": "IF(EXTRACT(HOUR FROM transaction_timestamp) BETWEEN 6 AND 21, 0, 1)",
        "is_business_hours": "IF(EXTRACT(HOUR FROM transaction_timestamp) BETWEEN 9 AND 17, 1, 0)",
        "gap_hours": (
            "(UNIX_MICROS(transaction_timestamp) - UNIX_MICROS("
            "LAG(transaction_timestamp) OVER (PARTITION BY customer_id ORDER BY transaction_timestamp))) / 3600000000"
        ),
    },
    features=(
        share("weekend_share_30d", "Share of purchases on a Saturday or Sunday.", "AVG({is_weekend})"),
        share("night_share_30d", "Share of purchases from 22:00 to 05:59.", "AVG({is_night})"),
        share("business_hours_share_30d", "Share of purchases from 09:00 to 17:59.", "AVG({is_business_hours})"),
        _gap(
            "gap_mean_hours_30d",
            "Mean time between consecutive purchases inside the window; null under two purchases.",
            sql="AVG({gap_hours})",
        ),
        _gap(
            "gap_std_hours_30d",
            "Sample standard deviation of those gaps; null under three purchases.",
            sql="STDDEV_SAMP({gap_hours})",
        ),
        _gap("gap_min_hours_30d", "The shortest of those gaps.", sql="MIN({gap_hours})"),
    ),
)
