"""Predictions beside what became of them: one row a customer and arm, from the warehouse.

A prediction is joined to its purchase by request: the log says which purchase a request was about. Of several requests
about one purchase the first counts. A purchase has an outcome when its maturity is over.
"""

from __future__ import annotations

from datetime import date, timedelta

from bnpl_features.derive.query import Query
from bnpl_features.features.purchase import COMPLETED, TIMESTAMP_COLUMN
from bnpl_features.scoring.prediction_table import PREDICTIONS

COUNTS = (
    "purchases",
    "approved",
    "matured",
    "matured_approved",
    "approved_defaults",
    "flagged_outcomes",
    "flagged_defaults",
    "first_approved",
    "first_matured",
    "first_default",
    "seen_since",
)
"""Columns of the query beside customer_digest, arm and is_shadow; all are integers."""


def customers_query(
    source: str, experiment: str, first_day: date, as_of: date, shares_since: date, maturity_days: int
) -> Query:
    """`source` is the relation, or the parenthesised query, that yields the canonical columns.

    `first_*` are of the customer's first purchase, and of the first that is mature: one yes or no a customer.
    `seen_since` is 1 for a customer who was scored from `shares_since` on.
    """
    scored = scored_sql(
        f"request_id, transaction_id, {TIMESTAMP_COLUMN}, customer_digest, arm, is_shadow, decision, predicted_at, "
        "partition_date",
        "@as_of",
        "experiment = @experiment",
    )
    return Query(
        f"""WITH scored AS (
{scored}
),
outcomes AS (
{outcomes_sql(source)}
),
joined AS (
  SELECT
    scored.customer_digest,
    scored.arm,
    scored.is_shadow,
    scored.partition_date,
    IF(scored.decision = 'approve', 1, 0) AS is_approved,
    IF(scored.partition_date <= @last_mature, 1, 0) AS is_mature,
    outcomes.defaulted,
    ROW_NUMBER() OVER (PARTITION BY scored.customer_digest, scored.arm ORDER BY scored.predicted_at) AS position
  FROM scored
  LEFT JOIN outcomes
    ON outcomes.transaction_id = scored.transaction_id
    AND outcomes.{TIMESTAMP_COLUMN} = scored.{TIMESTAMP_COLUMN}
)
SELECT
  customer_digest,
  arm,
  is_shadow,
  COUNT(*) AS purchases,
  CAST(SUM(is_approved) AS INT64) AS approved,
  CAST(SUM(is_mature) AS INT64) AS matured,
  CAST(SUM(IF(is_mature = 1 AND defaulted IS NOT NULL, is_approved, 0)) AS INT64) AS matured_approved,
  CAST(SUM(IF(is_mature = 1, is_approved * COALESCE(defaulted, 0), 0)) AS INT64) AS approved_defaults,
  CAST(SUM(IF(is_mature = 1 AND defaulted IS NOT NULL, 1 - is_approved, 0)) AS INT64) AS flagged_outcomes,
  CAST(SUM(IF(is_mature = 1, (1 - is_approved) * COALESCE(defaulted, 0), 0)) AS INT64) AS flagged_defaults,
  CAST(SUM(IF(position = 1, is_approved, 0)) AS INT64) AS first_approved,
  CAST(SUM(IF(position = 1, is_mature, 0)) AS INT64) AS first_matured,
  CAST(SUM(IF(position = 1 AND is_mature = 1, is_approved * COALESCE(defaulted, 0), 0)) AS INT64) AS first_default,
  CAST(MAX(IF(partition_date >= @shares_since, 1, 0)) AS INT64) AS seen_since
FROM joined
GROUP BY customer_digest, arm, is_shadow""",
        {
            "experiment": experiment,
            "first_day": first_day,
            "as_of": as_of,
            "last_mature": as_of - timedelta(days=maturity_days),
            "maturity_days": maturity_days,
            "shares_since": shares_since,
        },
    )


def scored_sql(columns: str, last_day: str, condition: str) -> str:
    """The predictions of days from @first_day to `last_day` for which the condition holds, the first of each purchase
    and arm; `columns` are named, separated by commas."""
    return f"""  SELECT {columns}
  FROM {PREDICTIONS}
  WHERE partition_date BETWEEN @first_day AND {last_day}
    AND {condition}
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY transaction_id, {TIMESTAMP_COLUMN}, customer_digest, arm ORDER BY predicted_at, request_id
  ) = 1"""


def outcomes_sql(source: str) -> str:
    """What became of completed purchases that are known by one id, from the day before @first_day to @last_mature."""
    return f"""  SELECT
    transaction_id,
    {TIMESTAMP_COLUMN},
    IF(will_default AND COALESCE(days_to_first_missed_payment, 0) <= @maturity_days, 1, 0) AS defaulted
  FROM {source}
  WHERE {TIMESTAMP_COLUMN} >= TIMESTAMP(DATE_SUB(@first_day, INTERVAL 1 DAY))
    AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@last_mature, INTERVAL 1 DAY))
    AND status = '{COMPLETED}'
    AND will_default IS NOT NULL
  QUALIFY COUNT(*) OVER (PARTITION BY transaction_id, {TIMESTAMP_COLUMN}) = 1"""
