"""The velocity group -> the BigQuery statement that computes it at every purchase, point in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bnpl_features.derive.query import SOURCE, Query
from bnpl_features.features.purchase import COMPLETED, TIMESTAMP_COLUMN
from bnpl_features.features.velocity import (
    COUNTED,
    DAY,
    MOST_DISTINCT,
    VELOCITY,
    Measure,
    StreamWindow,
    VelocityFeature,
)

_AT_MS = f"DIV(UNIX_MICROS({TIMESTAMP_COLUMN}), 1000)"
"""Rounded down. UNIX_MILLIS would be rounded to the nearest on DuckDB."""

_INSIDE = "DIV(events.at_ms, {ms}) > DIV(purchases.at_ms, {ms}) - {slots}"
_AGGREGATES = {
    Measure.COUNT: "COUNT(IF({inside} AND events.is_completed, 1, NULL))",
    Measure.SUM_USD: "COALESCE(SUM(IF({inside} AND events.is_completed, events.cents, NULL)), 0) / 100",
    Measure.DEVICES: "LEAST(COUNT(DISTINCT IF({inside} AND events.is_completed, events.device_id, NULL)), {most})",
    Measure.CATEGORIES: (
        "LEAST(COUNT(DISTINCT IF({inside} AND events.is_completed, events.product_category, NULL)), {most})"
    ),
    Measure.FAILED: "COUNT(IF({inside} AND NOT events.is_completed, 1, NULL))",
    # Parentheses of its own: sqlglot writes DIV as an operator without minding what it divides.
    Measure.SINCE_LAST: (
        "DIV((purchases.at_ms - MAX(IF({inside} AND events.is_completed, events.at_ms, NULL))), 1000)"
    ),
}


def windowed_features() -> tuple[VelocityFeature, ...]:
    """Those that follow from events alone."""
    return tuple(feature for feature in VELOCITY.features if feature.measure in _AGGREGATES)


def velocity_relations(first_day: date, last_day: date, source: str = SOURCE) -> tuple[list[str], dict[str, date]]:
    """The definitions `counted_events` and `velocity`, to stand in a WITH, and their parameters.

    `velocity` has one row a completed purchase of the days: transaction_id, customer_id, at_ms, then the features that
    follow from events. `source` is the relation, or the parenthesised query, that yields the canonical columns.
    """
    features = ",\n    ".join(f"CAST({_aggregate(one)} AS {one.kind}) AS {one.name}" for one in windowed_features())
    events = f"""counted_events AS (
  SELECT
    transaction_id,
    customer_id,
    {_AT_MS} AS at_ms,
    status = '{COMPLETED}' AS is_completed,
    CAST(FLOOR(CAST(amount AS FLOAT64) * 100 + 0.5) AS INT64) AS cents,
    device_id,
    product_category
  FROM {source}
  WHERE {TIMESTAMP_COLUMN} >= TIMESTAMP(DATE_SUB(@velocity_first_day, INTERVAL 1 DAY))
    AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@velocity_last_day, INTERVAL 1 DAY))
    AND status IN ({_quoted(COUNTED)})
)"""
    velocity = f"""velocity AS (
  SELECT
    purchases.transaction_id,
    purchases.customer_id,
    purchases.at_ms,
    {features}
  FROM counted_events AS purchases
  LEFT JOIN counted_events AS events
    ON events.customer_id = purchases.customer_id
    AND events.at_ms < purchases.at_ms
    AND events.at_ms >= purchases.at_ms - {DAY.span_seconds * 1000}
  WHERE purchases.is_completed
    AND purchases.at_ms >= DIV(UNIX_MICROS(TIMESTAMP(@velocity_first_day)), 1000)
  GROUP BY purchases.transaction_id, purchases.customer_id, purchases.at_ms
)"""
    return [events, velocity], {"velocity_first_day": first_day, "velocity_last_day": last_day}


def velocity_query(first_day: date, last_day: date, source: str = SOURCE) -> Query:
    """One row a completed purchase: transaction_id, customer_id, at_ms, and the features that follow from events."""
    relations, parameters = velocity_relations(first_day, last_day, source)
    return Query("WITH " + ",\n".join(relations) + "\nSELECT *\nFROM velocity", parameters)


def events_query(first_day: date, last_day: date, source: str = SOURCE) -> Query:
    """The counted events of some days, a customer's together and by time: what a rebuilt state is filled from."""
    return Query(
        f"""SELECT
  customer_id,
  transaction_id,
  {_AT_MS} AS at_ms,
  status,
  CAST(amount AS FLOAT64) AS amount,
  device_id,
  product_category
FROM {source}
WHERE {TIMESTAMP_COLUMN} >= TIMESTAMP(@first_day)
  AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@last_day, INTERVAL 1 DAY))
  AND status IN ({_quoted(COUNTED)})
ORDER BY customer_id, at_ms""",
        {"first_day": first_day, "last_day": last_day},
    )


def totals_query(day: date, from_hour: int, source: str = SOURCE) -> Query:
    """One row a customer with a completed purchase on a day, from an hour (UTC) on: customer_id, purchases, cents."""
    return Query(
        f"""SELECT
  customer_id,
  COUNT(*) AS purchases,
  SUM(CAST(FLOOR(CAST(amount AS FLOAT64) * 100 + 0.5) AS INT64)) AS cents
FROM {source}
WHERE {TIMESTAMP_COLUMN} >= TIMESTAMP(@day)
  AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@day, INTERVAL 1 DAY))
  AND EXTRACT(HOUR FROM {TIMESTAMP_COLUMN}) >= @from_hour
  AND status = '{COMPLETED}'
GROUP BY customer_id""",
        {"day": day, "from_hour": from_hour},
    )


def _aggregate(feature: VelocityFeature) -> str:
    return _AGGREGATES[feature.measure].format(inside=_inside(feature.window), most=MOST_DISTINCT)


def _inside(window: StreamWindow) -> str:
    return _INSIDE.format(ms=window.slot_seconds * 1000, slots=window.slots)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
