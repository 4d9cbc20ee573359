"""What a customer is: the traits that stay as they are while their finances change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnpl_features.simulator import marginals
from bnpl_features.simulator.marginals import Codes
from bnpl_features.simulator.population import WEEKS_PER_YEAR, Population

Floats = npt.NDArray[np.float64]

_TRAITS = 0
"""The random stream of this module; finances.py has 1, simulate.py 2."""

RATE_SHAPE = 1.5
"""Gamma shape of purchase rates: a few customers buy several times the mean, many buy rarely."""

MOST_PURCHASES_PER_WEEK = 40.0
EARLIEST_JOIN_DAYS = 730
"""The lender knows tenures of up to two years."""

LIMIT_UNKNOWN_SHARE = 0.03
MOST_DEVICES = 20


@dataclass(frozen=True)
class Customers:
    """The customers of one block; every array has shape [customers].

    Attributes:
        number: customer number, the digits of customer_id.
        base_risk: lasting risk, standard normal, which underwriting sees with noise.
        discipline: carelessness about due dates, standard normal, which underwriting never sees.
        joined: day of joining, counted from `first_day`; negative before it.
        weekly_rate: mean purchases a week while calm and active.
        spending: log of the personal scale of amounts.
        night_habit, weekend_habit, haste_habit: personal leanings, standard normal.
        favourite: code of the category bought most.
        device_types: code of the type of each device they may own, shape [customers, MOST_DEVICES].
        limit: code of the first credit limit; -1 where none is known.
        provider, age, income, credit_score, verification, address, state: codes in the marginals' domains.
    """

    number: npt.NDArray[np.int64]
    base_risk: Floats
    discipline: Floats
    joined: npt.NDArray[np.int64]
    weekly_rate: Floats
    spending: Floats
    night_habit: Floats
    weekend_habit: Floats
    haste_habit: Floats
    favourite: Codes
    device_types: Codes
    limit: Codes
    provider: Codes
    age: Codes
    income: Codes
    credit_score: Codes
    verification: Codes
    address: Codes
    state: Codes


def draw_customers(population: Population, block: int) -> Customers:
    """The customers of one block of the population."""
    number = np.array(population.customers_of(block), dtype=np.int64)
    random = population.random(block, _TRAITS)
    size = number.size
    base_risk = random.standard_normal(size)
    return Customers(
        number=number,
        base_risk=base_risk,
        discipline=random.standard_normal(size),
        joined=_joined(population, random, size),
        weekly_rate=_weekly_rate(population, random, size),
        spending=0.3 * random.standard_normal(size),
        night_habit=random.standard_normal(size),
        weekend_habit=random.standard_normal(size),
        haste_habit=random.standard_normal(size),
        favourite=marginals.draw_from(marginals.CATEGORY, random.random(size)),
        device_types=marginals.draw_from(marginals.DEVICE_TYPE, random.random((size, MOST_DEVICES))),
        limit=_limit(base_risk, random),
        provider=marginals.draw_from(marginals.PROVIDER, random.random(size)),
        age=marginals.draw_from(marginals.AGE, random.random(size)),
        income=_seen(marginals.INCOME, base_risk, 0.5, random),
        credit_score=_seen(marginals.CREDIT_SCORE, base_risk, 0.7, random),
        verification=_seen(marginals.VERIFICATION, base_risk, 0.3, random),
        address=_seen(marginals.ADDRESS, base_risk, 0.2, random),
        state=random.integers(0, len(marginals.STATES), size).astype(np.int8),
    )


def _joined(population: Population, random: np.random.Generator, size: int) -> npt.NDArray[np.int64]:
    early = random.random(size) < population.joined_share
    before = -random.integers(1, EARLIEST_JOIN_DAYS + 1, size)
    after = np.floor(random.exponential(population.mean_days_to_join, size)).astype(np.int64)
    return np.where(early, before, after)


def _weekly_rate(population: Population, random: np.random.Generator, size: int) -> Floats:
    mean = population.purchases_per_year / WEEKS_PER_YEAR
    rate: Floats = np.minimum(random.gamma(RATE_SHAPE, mean / RATE_SHAPE, size), MOST_PURCHASES_PER_WEEK)
    return rate


def _limit(base_risk: Floats, random: np.random.Generator) -> Codes:
    equally = {str(limit): 1.0 for limit in marginals.CREDIT_LIMITS_USD}
    code = _seen(equally, base_risk, 0.4, random)
    code[random.random(base_risk.size) < LIMIT_UNKNOWN_SHARE] = -1
    return code


def _seen(domain: marginals.Domain, base_risk: Floats, sharpness: float, random: np.random.Generator) -> Codes:
    """Brackets, worst first, that reflect the base risk with a correlation of about `sharpness`."""
    blur = np.sqrt(1.0 - sharpness**2)
    return marginals.by_rank(domain, blur * random.standard_normal(base_risk.size) - sharpness * base_risk, 1.0)
