"""How many customers and days an experiment takes, before it is started."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from bnpl_features.errors import ExperimentRefused
from bnpl_features.scoring.experiments.sequential import LEVEL, half_width

POWER = 0.8
_MOST_CUSTOMERS = 10**9


@dataclass(frozen=True)
class Plan:
    """Customers of each arm: for one look at the end, and for looks at any time; days until the latter can be told."""

    one_look: int
    any_look: int
    days: float


def plan(
    rate: float,
    smallest_difference: float,
    *,
    customers_a_day: float,
    share: float,
    maturity_days: int = 0,
    level: float = LEVEL,
    power: float = POWER,
) -> Plan:
    """To see `smallest_difference` (absolute) from the control's `rate` with two arms of `share` of the customers each.

    `customers_a_day` are new ones; outcomes take `maturity_days`. Raises `ExperimentRefused` for what cannot be.
    """
    other = rate + smallest_difference
    if not (0.0 < rate < 1.0 and 0.0 < other < 1.0 and smallest_difference):
        raise ExperimentRefused(f"a rate of {rate} that becomes {other}: both must be in 0..1, and differ")
    if not (0.0 < share <= 0.5 and customers_a_day > 0.0):
        raise ExperimentRefused(f"two arms of {share} of {customers_a_day} customers a day: at most 0.5 each, above 0")
    spread = rate * (1.0 - rate) + other * (1.0 - other)
    reach = NormalDist().inv_cdf(power)
    whole = NormalDist().inv_cdf(1.0 - (1.0 - level) / 2.0) + reach
    one_look = math.ceil(whole**2 * spread / smallest_difference**2)

    def is_enough(arm: int) -> bool:
        bound = math.sqrt(2.0 * spread) * half_width(2 * arm, 1.0 - level, tightest_at=max(2 * arm, 1))
        return bound + reach * math.sqrt(spread / arm) <= abs(smallest_difference)

    low, high = one_look, _MOST_CUSTOMERS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return Plan(one_look, low, low / (customers_a_day * share) + maturity_days)
