"""Risk evolution: where a customer's risk is heading."""

from bnpl_features.features.feature import HISTORY, QUARTER, Feature, FeatureGroup, Kind
from bnpl_features.features.shapes import count, days, number, share
from bnpl_features.features.storage import half, linear, names

SCORE = linear(0.0, 1.0, width_bytes=2)
LIFECYCLE_STAGES = ("new", "reactivated", "active", "cooling", "dormant")

# The parts of a sum are added up in another order than the whole, so the ratio may exceed 3 by a rounding.
LARGEST_SPEND_RATIO = 3.0 + 1e-9


def _slope(column: str) -> str:
    """The slope of a simple linear regression on time: covariance of y and x over the variance of x."""
    return (
        "IF(COUNT({elapsed_days}) >= 3 AND MAX({elapsed_days}) > MIN({elapsed_days}), "
        f"COVAR_SAMP({{{column}}}, {{elapsed_days}}) / NULLIF(VAR_SAMP({{elapsed_days}}), 0), NULL)"
    )


RISK_EVOLUTION = FeatureGroup(
    name="risk_evolution",
    meaning="Where the customer's risk is heading.",
    owner="team:risk-features",
    purchase={
        "elapsed_days": (
            "(UNIX_MICROS(transaction_timestamp) - UNIX_MICROS(TIMESTAMP(@partition_date))) / 86400000000"
        ),
        "is_high_risk": "IF(risk_level IN ('high', 'very_high'), 1, 0)",
        "is_rushed": "IF(purchase_context = 'rushed' OR checkout_speed = 'very_fast', 1, 0)",
        # Negative while the missed payment still lies in the future of the partition: not known yet.
        "missed_days_ago": (
            "DATE_DIFF(@partition_date, DATE(transaction_timestamp), DAY) - days_to_first_missed_payment"
        ),
    },
    features=(
        number(
            "risk_score_mean_30d",
            "Mean risk_score.",
            "score 0..1",
            "AVG({risk_score})",
            SCORE,
            upper=1.0,
            risk_direction=1,
        ),
        number(
            "risk_score_max_30d",
            "Largest risk_score.",
            "score 0..1",
            "MAX({risk_score})",
            SCORE,
            upper=1.0,
            risk_direction=1,
        ),
        number(
            "risk_score_trend_90d",
            "Least-squares slope of risk_score on time; null under three purchases or without spread in time.",
            "score/day",
            _slope("risk_score"),
            half(),
            window=QUARTER,
            lower=None,
            risk_direction=1,
        ),
        number(
            "amount_trend_90d",
            "Least-squares slope of amount on time; null under three purchases or without spread in time.",
            "USD/day",
            _slope("amount"),
            half(),
            window=QUARTER,
            lower=None,
        ),
        number(
            "spend_ratio_30d_90d",
            "amount_sum_30d / (amount_sum_90d / 3): 1 is steady spending; null without spending in 90 days.",
            "ratio",
            "COALESCE(SUM(IF(days_ago < 30, amount, NULL)), 0) / NULLIF(SUM({amount}) / 3, 0)",
            linear(0.0, 3.0, width_bytes=1),
            window=QUARTER,
            upper=LARGEST_SPEND_RATIO,
        ),
        share(
            "high_risk_share_30d",
            "Share of purchases with risk_level high or very_high.",
            "AVG({is_high_risk})",
            risk_direction=1,
        ),
        share(
            "rushed_share_30d",
            "Share of purchases in a rush, by context or checkout speed.",
            "AVG({is_rushed})",
            risk_direction=1,
        ),
        count(
            "missed_payments_90d",
            "First missed payments that fell in the last 90 days, known by the partition's date.",
            "COUNT(IF(missed_days_ago BETWEEN 0 AND 89, 1, NULL))",
            window=HISTORY,
            risk_direction=1,
        ),
        days(
            "days_since_missed_payment",
            "Days since the latest missed payment known by the partition's date.",
            "MIN(IF(missed_days_ago >= 0, missed_days_ago, NULL))",
            window=HISTORY,
            default=None,
            risk_direction=-1,
        ),
        days("days_since_last_txn", "Days since the latest purchase.", "MIN(days_ago)", window=HISTORY, default=364),
        days(
            "days_since_first_txn",
            "Days since the first purchase in the look-back.",
            "MAX(days_ago)",
            window=HISTORY,
            default=0,
            ages=True,
        ),
        Feature(
            name="lifecycle_stage",
            meaning=(
                "new (first purchase under 30 days ago), reactivated (a purchase in 30 days after a gap over 90), "
                "active (a purchase in 30 days), cooling (the last 30 to 90 days ago), dormant."
            ),
            unit="name",
            kind=Kind.NAME,
            window=HISTORY,
            sql="""CASE
    WHEN MAX(days_ago) < 30 THEN 'new'
    WHEN MIN(IF(days_ago >= 30, days_ago, NULL)) - MAX(IF(days_ago < 30, days_ago, NULL)) > 90 THEN 'reactivated'
    WHEN MIN(days_ago) < 30 THEN 'active'
    WHEN MIN(days_ago) <= 90 THEN 'cooling'
    ELSE 'dormant'
  END""",
            storage=names(*LIFECYCLE_STAGES),
            lower=None,
            nullable=False,
            default="new",
        ),
    ),
)
