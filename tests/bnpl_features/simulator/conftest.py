"""One simulated year that several files look at, and what a lender knew before each of its purchases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from bnpl_features.simulator import Population, simulate

YEAR = Population(customers=12_000, first_day=date(2025, 1, 1), last_day=date(2025, 12, 31), seed=7)

HISTORY = """
SELECT
    p.will_default,
    p.risk_score,
    count(h.amount) FILTER (h.day >= p.day - 30) AS count_30d,
    count(h.amount) FILTER (h.day < p.day - 30) / 2 AS count_before,
    avg(h.amount) FILTER (h.day >= p.day - 30) AS amount_30d,
    avg(h.amount) FILTER (h.day < p.day - 30) AS amount_before,
    coalesce(sum(h.amount) FILTER (h.day >= p.day - 30), 0)
        / max(coalesce(p.payment_credit_limit, 1500)) AS utilization_30d,
    avg(h.night) FILTER (h.day >= p.day - 30) AS night_30d,
    avg(h.night) FILTER (h.day < p.day - 30) AS night_before,
    avg(h.high_risk) AS high_risk_90d,
    count(DISTINCT h.device_id) AS devices_90d,
    avg(CAST(NOT h.device_is_trusted AS INT)) AS untrusted_90d,
    count(h.amount) FILTER (h.missed_on < p.day) AS missed_90d
FROM purchases AS p
JOIN purchases AS h ON h.customer_id = p.customer_id AND h.day BETWEEN p.day - 90 AND p.day - 1
WHERE p.day >= DATE '2025-10-01'
GROUP BY p.transaction_id, p.will_default, p.risk_score
"""


@pytest.fixture(scope="session")
def year() -> pa.Table:
    """About 240,000 purchases of 2025."""
    return pa.Table.from_batches(simulate(YEAR))


@pytest.fixture(scope="session")
def history(year: pa.Table) -> pd.DataFrame:
    """Purchases of the last quarter with outcome, risk score, and what their 90 days before show."""
    return history_of(year)


@pytest.fixture(scope="session")
def calm_history() -> pd.DataFrame:
    """The same for a population whose stress shows in nothing: the control."""
    return history_of(pa.Table.from_batches(simulate(replace(YEAR, stress_effect=0.0))))


def history_of(table: pa.Table) -> pd.DataFrame:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("simulated", table)
    connection.execute(
        """
        CREATE TABLE purchases AS
        SELECT *, day + CAST(days_to_first_missed_payment AS INT) AS missed_on
        FROM (
            SELECT
                *,
                CAST(transaction_timestamp AS DATE) AS day,
                CAST(hour(transaction_timestamp) >= 22 OR hour(transaction_timestamp) < 6 AS INT) AS night,
                CAST(product_risk_category = 'high' AS INT) AS high_risk
            FROM simulated
            WHERE status = 'completed'
        )
        """
    )
    return connection.execute(HISTORY).df()
