"""What becomes of purchases later: the first installment that is missed, if any."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bnpl_features.simulator.basket import Baskets
from bnpl_features.simulator.customers import Customers, Floats
from bnpl_features.simulator.demand import Visits
from bnpl_features.simulator.finances import Finances, Weekly
from bnpl_features.simulator.marginals import DAYS_BETWEEN_INSTALLMENTS, MISSED_AT_INSTALLMENT
from bnpl_features.simulator.population import DAYS_PER_WEEK, Population

WEEKS_BETWEEN_INSTALLMENTS = DAYS_BETWEEN_INSTALLMENTS // DAYS_PER_WEEK
MOST_INSTALLMENTS = MISSED_AT_INSTALLMENT.shape[1]
LOOK_AHEAD_WEEKS = MOST_INSTALLMENTS * WEEKS_BETWEEN_INSTALLMENTS
"""Finances must be known this long after a purchase to settle its outcome."""

CALM_HAZARD = 0.0105
"""Expected missed payments over a loan of a customer with nothing special; sets the overall default rate."""

PER_BASE_RISK, PER_DISCIPLINE, PER_STRESS = 0.55, 1.1, 1.15
"""Log of the hazard that one unit adds. Underwriting sees the first in part; only behaviour betrays the others."""

MOST_LOG_HAZARD = 4.0
HIGH_RISK_PRODUCT = 1.15
ORDINARY_AMOUNT_USD, AMOUNT_EXPONENT = 120.0, 0.15
"""Larger loans are harder to pay: twice the amount, 11 % more hazard."""


def weekly_hazard(population: Population, customers: Customers, finances: Finances) -> Weekly:
    """The customer's part of the hazard of missing what falls due in a week, shape [weeks, customers]."""
    lasting = PER_BASE_RISK * customers.base_risk + PER_DISCIPLINE * customers.discipline
    log_hazard = np.minimum(lasting.astype(np.float32) + np.float32(PER_STRESS) * finances.stress, MOST_LOG_HAZARD)
    hazard: Weekly = np.float32(CALM_HAZARD * population.default_hazard) * np.exp(log_hazard)
    return hazard


def days_to_first_missed(
    hazard: Weekly, week: int, visits: Visits, baskets: Baskets, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Days from purchase to the first missed installment: a multiple of 14, or 0 where all are paid.

    A payment is missed when the hazard gathered over the due dates so far passes a random, exponential patience,
    so finances that worsen after the purchase bring the miss about.
    """
    patience = random.exponential(size=visits.customer.size)
    loan = _loan_hazard(baskets)
    gathered = np.zeros(patience.size)
    days = np.zeros(patience.size, dtype=np.int64)
    for installment in range(MOST_INSTALLMENTS):
        due_week = week + (installment + 1) * WEEKS_BETWEEN_INSTALLMENTS
        share = MISSED_AT_INSTALLMENT[baskets.installments, installment]
        gathered += share * loan * hazard[due_week][visits.customer]
        days[(days == 0) & (gathered > patience)] = (installment + 1) * DAYS_BETWEEN_INSTALLMENTS
    return days


def _loan_hazard(baskets: Baskets) -> Floats:
    size: Floats = (baskets.amount / ORDINARY_AMOUNT_USD) ** AMOUNT_EXPONENT
    return size * np.where(baskets.product_risk == 2, HIGH_RISK_PRODUCT, 1.0)
