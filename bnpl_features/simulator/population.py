"""The parameters of a simulated population, and the fixed grid of blocks and weeks it is drawn on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

CUSTOMERS_PER_BLOCK = 50_000
"""Customers that share random streams. Part of the seed: another value is another population."""

MOST_CUSTOMERS = 10_000_000
"""Seven digits in a customer_id."""

MOST_PURCHASES_PER_YEAR = 500.0
"""The busiest customers stay under 100 purchases a week: two digits in a transaction_id."""

DAYS_PER_WEEK = 7
WEEKS_PER_YEAR = 365.25 / DAYS_PER_WEEK


@dataclass(frozen=True)
class Population:
    """Who buys, when, and how risky they are; the same value always gives the same purchases.

    Attributes:
        customers: customers who have joined or will; some join only after `last_day`. Another number is another
            population, except that full blocks of `CUSTOMERS_PER_BLOCK` stay the same.
        first_day: first UTC date with purchases. Moving it is another population.
        last_day: last UTC date with purchases, inclusive. A later one only adds purchases.
        seed: the randomness, an int >= 0.
        purchases_per_year: mean purchases a year of one customer who has joined, dormant spells included
            (at `stress_effect` 1; without stress a sixth less).
        joined_share: share of customers who had joined before `first_day`, 0..1.
        mean_days_to_join: mean wait from `first_day` of those who had not, in days.
        default_hazard: multiplies the rate of missed payments; 1 gives a default rate of about 6 %.
        stress_effect: how strongly financial stress shows in behaviour and outcomes; 0 hides it, 1 is the default.
    """

    customers: int
    first_day: date
    last_day: date
    seed: int = 0
    purchases_per_year: float = 24.0
    joined_share: float = 0.7
    mean_days_to_join: float = 180.0
    default_hazard: float = 1.0
    stress_effect: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= MOST_CUSTOMERS:
            raise ValueError(f"customers is {self.customers}: choose between 1 and {MOST_CUSTOMERS:,}")
        if self.last_day < self.first_day:
            raise ValueError(f"last_day {self.last_day} is before first_day {self.first_day}: swap them")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: choose an integer of at least 0")
        if not 0 < self.purchases_per_year <= MOST_PURCHASES_PER_YEAR:
            raise ValueError(
                f"purchases_per_year is {self.purchases_per_year}: choose above 0, at most {MOST_PURCHASES_PER_YEAR:g}"
            )
        if not 0 <= self.joined_share <= 1:
            raise ValueError(f"joined_share is {self.joined_share}: choose a share between 0 and 1")
        if not 1 <= self.mean_days_to_join < float("inf"):
            raise ValueError(f"mean_days_to_join is {self.mean_days_to_join}: choose at least 1 day")
        if not 0 <= self.default_hazard <= 100:
            raise ValueError(f"default_hazard is {self.default_hazard}: choose between 0 and 100; 1 is usual")
        if not 0 <= self.stress_effect <= 2:
            raise ValueError(f"stress_effect is {self.stress_effect}: choose between 0 and 2; 1 is usual")

    @property
    def blocks(self) -> int:
        """Number of blocks of up to `CUSTOMERS_PER_BLOCK` customers."""
        return -(-self.customers // CUSTOMERS_PER_BLOCK)

    def customers_of(self, block: int) -> range:
        """Customer numbers of one block, counted from 0."""
        if not 0 <= block < self.blocks:
            raise ValueError(f"block is {block}: this population has blocks 0 to {self.blocks - 1}")
        first = block * CUSTOMERS_PER_BLOCK
        return range(first, min(first + CUSTOMERS_PER_BLOCK, self.customers))

    def week_of(self, day: date) -> int:
        """The week a date falls in; week 0 starts on `first_day`."""
        return (day - self.first_day).days // DAYS_PER_WEEK

    def first_day_of(self, week: int) -> date:
        return self.first_day + timedelta(days=week * DAYS_PER_WEEK)

    def random(self, block: int, *stream: int) -> np.random.Generator:
        """The generator of one stream of one block; no stream depends on `last_day` or on what was drawn elsewhere."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block, *stream)))
