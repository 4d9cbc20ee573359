"""What customers buy and on which terms: category, product risk, amount, installments, credit limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnpl_features.simulator import marginals
from bnpl_features.simulator.customers import Customers, Floats
from bnpl_features.simulator.demand import Visits, logistic
from bnpl_features.simulator.marginals import Codes

AMOUNT_SPREAD = 0.45
"""Standard deviation of the log of an amount within a category and customer."""

AMOUNT_UNDER_STRESS = 0.18
"""Log of the amount that a unit of stress adds."""

LEAST_AMOUNT_USD, MOST_AMOUNT_USD = 10.0, 1_500.0

ELECTRONICS = 0
"""Code of the category that is easiest to sell on; stress moves purchases there."""

FAVOURITE_SHARE = 0.35
DAYS_TO_HIGHER_LIMIT = 180
"""The lender raises the limit of customers with a base risk below the mean by one step after half a year."""

LIMIT_MISSING_SHARE = 0.02
"""Purchases whose checkout did not report the limit, besides the customers who have none."""


@dataclass(frozen=True)
class Baskets:
    """What one week's purchases are; every array has shape [purchases].

    Attributes:
        category, product_risk: codes in CATEGORY and PRODUCT_RISK.
        amount: USD, whole cents.
        installments: code in INSTALLMENTS.
        tenure: days since joining.
        limit: USD; NaN where not known.
    """

    category: Codes
    product_risk: Codes
    amount: Floats
    installments: Codes
    tenure: npt.NDArray[np.int64]
    limit: Floats


def fill_baskets(customers: Customers, visits: Visits, random: np.random.Generator) -> Baskets:
    """What is bought at each visit, given who buys and their stress."""
    size = visits.customer.size
    category = _category(customers.favourite[visits.customer], visits.stress, random)
    amount = _amount(category, customers.spending[visits.customer], visits.stress, random)
    tenure = visits.day - customers.joined[visits.customer]
    return Baskets(
        category=category,
        product_risk=_product_risk(visits.stress, random),
        amount=amount,
        installments=(random.random(size) < np.clip((amount - 30.0) / 400.0, 0.03, 0.75)).astype(np.int8),
        tenure=tenure,
        limit=_limit(customers, visits, tenure, random),
    )


def _category(favourite: Codes, stress: Floats, random: np.random.Generator) -> Codes:
    size = favourite.size
    category = marginals.draw_from(marginals.CATEGORY, random.random(size))
    category = np.where(random.random(size) < FAVOURITE_SHARE, favourite, category)
    category[random.random(size) < logistic(-4.0 + 1.0 * stress)] = ELECTRONICS
    return category


def _amount(category: Codes, spending: Floats, stress: Floats, random: np.random.Generator) -> Floats:
    spread = AMOUNT_SPREAD * random.standard_normal(category.size)
    amount = marginals.MEDIAN_AMOUNT_USD[category] * np.exp(spread + spending + AMOUNT_UNDER_STRESS * stress)
    cents: Floats = np.round(np.clip(amount, LEAST_AMOUNT_USD, MOST_AMOUNT_USD), 2)
    return cents


def _product_risk(stress: Floats, random: np.random.Generator) -> Codes:
    high = random.random(stress.size) < logistic(-2.2 + 0.65 * stress)
    medium = random.random(stress.size) < 0.42
    return np.where(high, 2, medium).astype(np.int8)


def _limit(customers: Customers, visits: Visits, tenure: npt.NDArray[np.int64], random: np.random.Generator) -> Floats:
    first = customers.limit[visits.customer]
    raised = (tenure >= DAYS_TO_HIGHER_LIMIT) & (customers.base_risk[visits.customer] < 0)
    step = np.minimum(first + raised, len(marginals.CREDIT_LIMITS_USD) - 1)
    missing = (first < 0) | (random.random(first.size) < LIMIT_MISSING_SHARE)
    return np.where(missing, np.nan, np.array(marginals.CREDIT_LIMITS_USD)[step])
