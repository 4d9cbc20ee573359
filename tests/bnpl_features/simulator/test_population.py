"""The parameters of a population are checked when it is made."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from bnpl_features.simulator import Population

SMALL = Population(customers=10, first_day=date(2025, 1, 1), last_day=date(2025, 1, 31))


@pytest.mark.parametrize(
    ("wrong", "mend"),
    [
        ({"customers": 0}, "choose between 1 and 10,000,000"),
        ({"customers": 10_000_001}, "choose between 1 and 10,000,000"),
        ({"last_day": date(2024, 12, 31)}, "swap them"),
        ({"seed": -1}, "at least 0"),
        ({"purchases_per_year": 0.0}, "choose above 0"),
        ({"purchases_per_year": float("nan")}, "choose above 0"),
        ({"purchases_per_year": 501.0}, "at most 500"),
        ({"joined_share": 1.1}, "between 0 and 1"),
        ({"mean_days_to_join": 0.0}, "at least 1 day"),
        ({"default_hazard": -0.1}, "between 0 and 100"),
        ({"stress_effect": 2.1}, "between 0 and 2"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name_and_the_mend(wrong: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.*{mend}"):
        replace(SMALL, **wrong)


@pytest.mark.parametrize(("customers", "blocks"), [(1, 1), (50_000, 1), (50_001, 2), (10_000_000, 200)])
def test_blocks_cover_every_customer_once(customers: int, blocks: int) -> None:
    population = replace(SMALL, customers=customers)

    covered = [population.customers_of(block) for block in range(population.blocks)]

    assert population.blocks == blocks
    assert covered[0].start == 0
    assert covered[-1].stop == customers
    assert all(left.stop == right.start for left, right in pairwise(covered))


def test_a_block_outside_the_population_is_refused() -> None:
    with pytest.raises(ValueError, match="blocks 0 to 0"):
        SMALL.customers_of(1)
