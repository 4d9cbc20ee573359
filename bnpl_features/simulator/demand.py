"""When customers buy: how many purchases a week has, on which of its days and at what time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from bnpl_features.simulator.customers import Customers, Floats
from bnpl_features.simulator.finances import Finances
from bnpl_features.simulator.marginals import DAY_OF_WEEK, HOUR_AT_NIGHT, HOUR_BY_DAY, draw
from bnpl_features.simulator.population import DAYS_PER_WEEK, Population

SEASON = (0.88, 0.92, 0.97, 0.98, 1.0, 0.98, 0.97, 1.0, 1.0, 1.02, 1.15, 1.22)
"""Relative purchases from January to December: gifts before the holidays, restraint after them."""

PAYDAY_UPLIFT = 1.2
PAYDAYS = frozenset({1, 2, 3, 15, 16, 17})
"""Wages come twice a month and are spent within three days."""

BUYING_UNDER_STRESS = 0.45
"""Log of the purchase rate a unit of stress adds: credit stands in for cash, so gaps shrink."""

ORDINARY_ACTIVITY = 1.05
"""Mean over customers and weeks of being active times the uplift by stress; makes purchases_per_year a true mean."""

MOST_STRESS = 3.0
"""Behaviour does not get more extreme beyond it; outcomes do."""

MICROSECONDS_PER_HOUR = 3_600_000_000
MICROSECONDS_PER_DAY = 24 * MICROSECONDS_PER_HOUR
_SATURDAY = 5


@dataclass(frozen=True)
class Visits:
    """The purchases of one week of one block, in order of time; every array has shape [purchases].

    Attributes:
        customer: position of the customer in the block.
        day: day since the population's first day.
        microsecond: time since midnight UTC.
        ordinal: counts a customer's purchases of this week from 0, in no order.
        stress: the customer's stress in this week.
    """

    customer: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    microsecond: npt.NDArray[np.int64]
    ordinal: npt.NDArray[np.int64]
    stress: Floats


def draw_visits(
    population: Population, customers: Customers, finances: Finances, week: int, random: np.random.Generator
) -> Visits:
    """The purchases of a whole week, whether or not the population's last day falls into it."""
    first = population.first_day_of(week)
    weights = np.array([_relative_demand(first + timedelta(days=day)) for day in range(DAYS_PER_WEEK)])
    counts = random.poisson(_expected(customers, finances, week, float(weights.mean())))
    customer = np.repeat(np.arange(counts.size), counts)
    ordinal = np.arange(customer.size) - np.repeat(np.cumsum(counts) - counts, counts)
    stress = np.clip(finances.stress[week][customer].astype(np.float64), -MOST_STRESS, MOST_STRESS)
    day = _days(customers.weekend_habit[customer], stress, weights, first, random) + week * DAYS_PER_WEEK
    microsecond = _times(customers.night_habit[customer], stress, random)
    order = np.argsort(day * MICROSECONDS_PER_DAY + microsecond, kind="stable")
    order = order[day[order] >= customers.joined[customer[order]]]
    return Visits(customer[order], day[order], microsecond[order], ordinal[order], stress[order])


def logistic(log_odds: Floats) -> Floats:
    probability: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return probability


def _relative_demand(day: date) -> float:
    payday = PAYDAY_UPLIFT if day.day in PAYDAYS else 1.0
    return float(DAY_OF_WEEK[day.weekday()]) * payday * SEASON[day.month - 1]


def _expected(customers: Customers, finances: Finances, week: int, demand: float) -> Floats:
    """Expected purchases per customer of a block in one week, shape [customers]."""
    stress = np.clip(finances.stress[week], -MOST_STRESS, MOST_STRESS)
    buys = finances.active[week] & (customers.joined < (week + 1) * DAYS_PER_WEEK)
    rate: Floats = customers.weekly_rate * np.exp(BUYING_UNDER_STRESS * stress) * buys * (demand / ORDINARY_ACTIVITY)
    return rate


def _days(
    habit: Floats, stress: Floats, weights: Floats, first: date, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Day of the week's seven, by the calendar; stress and habit move some purchases to the weekend."""
    weekend = np.array([(first.weekday() + day) % DAYS_PER_WEEK >= _SATURDAY for day in range(DAYS_PER_WEEK)])
    usual = draw(weights, random.random(habit.size))
    moved = draw(weights * weekend, random.random(habit.size))
    moves = random.random(habit.size) < logistic(-4.0 + 0.5 * habit + 0.8 * stress)
    return np.where(moves, moved, usual).astype(np.int64)


def _times(habit: Floats, stress: Floats, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Microsecond of the day; the worried and the night owls buy at night."""
    size = habit.size
    at_night = random.random(size) < logistic(-2.95 + 0.5 * habit + 1.0 * stress)
    uniform = random.random(size)
    hour = np.where(at_night, draw(HOUR_AT_NIGHT, uniform), draw(HOUR_BY_DAY, uniform)).astype(np.int64)
    return hour * MICROSECONDS_PER_HOUR + random.integers(0, MICROSECONDS_PER_HOUR, size)
