"""How well the simulated population could be scored at all: by whoever knows the customers' true finances.

    python -m benchmarks.model_limit [customers]

`present` knows each customer's hazard in the week of the purchase, which no feature shows in full: about the limit of
what can be known at checkout. `future` also knows the finances of the weeks in which installments fall due; what is
left is chance. Same population and test days as docs/risk-model.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import print_table
from bnpl_features.risk_model.bootstrap import Interval, intervals
from bnpl_features.risk_model.metrics import METRICS, Floats, curve_of, rank
from bnpl_features.simulator import Population
from bnpl_features.simulator.basket import fill_baskets
from bnpl_features.simulator.checkout import check_out
from bnpl_features.simulator.customers import draw_customers
from bnpl_features.simulator.demand import draw_visits
from bnpl_features.simulator.finances import follow
from bnpl_features.simulator.marginals import DAYS_BETWEEN_INSTALLMENTS, MISSED_AT_INSTALLMENT
from bnpl_features.simulator.outcomes import (
    LOOK_AHEAD_WEEKS,
    MOST_INSTALLMENTS,
    WEEKS_BETWEEN_INSTALLMENTS,
    _loan_hazard,
    days_to_first_missed,
    weekly_hazard,
)

FIRST_DAY, LAST_DAY = date(2025, 10, 30), date(2026, 11, 23)
TEST_DAYS = (date(2026, 8, 27), date(2026, 9, 24))
MATURITY_DAYS = 60
_PURCHASES_STREAM = 2

Week = tuple[NDArray[np.int64], NDArray[np.uint8], Floats, Floats]
"""Of each completed purchase: customer, whether it defaulted, the two scores."""


def main(customers: int = 40_000) -> None:
    weeks = list(_weeks(Population(customers, FIRST_DAY, LAST_DAY, seed=0)))
    owner, defaulted, present, future = (np.concatenate(parts) for parts in zip(*weeks, strict=True))
    rankings = {name: rank(score, defaulted) for name, score in {"present": present, "future": future}.items()}

    def measure(weights: Floats | None) -> dict[str, float]:
        return {
            f"{name}/{metric}": of(curve_of(ranking, weights))
            for name, ranking in rankings.items()
            for metric, of in METRICS.items()
            if metric not in ("brier", "calibration_error")
        }

    found = intervals(measure, owner.astype(np.int32), resamples=100)
    metrics = dict.fromkeys(key.partition("/")[2] for key in found)
    print_table(
        f"Limits: {defaulted.size:,} purchases, {int(defaulted.sum()):,} defaults, {TEST_DAYS[0]} to {TEST_DAYS[1]}",
        ("metric", "knows the present", "knows the future"),
        [(metric, *(_cell(found[f"{name}/{metric}"]) for name in rankings)) for metric in metrics],
    )


def _weeks(population: Population) -> Iterator[Week]:
    """The very purchases of the simulation, week by week, from the same random streams."""
    first, last = ((day - population.first_day).days for day in TEST_DAYS)
    for block in range(population.blocks):
        customers = draw_customers(population, block)
        finances = follow(population, block, customers, last // 7 + 1 + LOOK_AHEAD_WEEKS)
        hazard = weekly_hazard(population, customers, finances)
        for week in range(first // 7, last // 7 + 1):
            random = population.random(block, _PURCHASES_STREAM, week)
            visits = draw_visits(population, customers, finances, week, random)
            baskets = fill_baskets(customers, visits, random)
            checkouts = check_out(customers, finances, week, visits, baskets, random)
            days = days_to_first_missed(hazard, week, visits, baskets, random)
            present, future = np.zeros(days.size), np.zeros(days.size)
            for installment in range(MOST_INSTALLMENTS):
                if (installment + 1) * DAYS_BETWEEN_INSTALLMENTS <= MATURITY_DAYS:
                    share = MISSED_AT_INSTALLMENT[baskets.installments, installment] * _loan_hazard(baskets)
                    due = week + (installment + 1) * WEEKS_BETWEEN_INSTALLMENTS
                    present += share * hazard[week][visits.customer]
                    future += share * hazard[due][visits.customer]
            inside = (visits.day >= first) & (visits.day <= last) & (checkouts.status == 0)
            defaulted = ((days > 0) & (days <= MATURITY_DAYS)).astype(np.uint8)
            yield customers.number[visits.customer][inside], defaulted[inside], present[inside], future[inside]


def _cell(interval: Interval) -> str:
    return f"{interval.value:.4g} ({interval.low:.4g}..{interval.high:.4g})"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
