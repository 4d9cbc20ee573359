"""Purchases of a population as a stream of Arrow record batches, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from bnpl_features.simulator.basket import fill_baskets
from bnpl_features.simulator.checkout import check_out
from bnpl_features.simulator.customers import Customers, draw_customers
from bnpl_features.simulator.demand import draw_visits
from bnpl_features.simulator.finances import Finances, Weekly, follow
from bnpl_features.simulator.outcomes import LOOK_AHEAD_WEEKS, days_to_first_missed, weekly_hazard
from bnpl_features.simulator.population import Population
from bnpl_features.simulator.records import record_batch

Days = tuple[date, date]
"""First and last UTC date, both inclusive."""

Progress = Callable[[int, int], None]
"""Called with customers done and customers in total."""

ROWS_PER_BATCH = 100_000

_PURCHASES = 2


def simulate(
    population: Population,
    *,
    days: Days | None = None,
    rows_per_batch: int = ROWS_PER_BATCH,
    progress: Progress | None = None,
) -> Iterator[pa.RecordBatch]:
    """All purchases of the population, or those of some days, in batches of `rows_per_batch` (the last one: fewer).

    Rows come block by block of 50,000 customers; within a block in order of time. Neither `rows_per_batch` nor `days`
    nor a later `last_day` changes a row. `progress` is called after each block. Nothing is yielded where nobody bought.

    Raises:
        ValueError: `days` are not within the population's, or `rows_per_batch` is under 1.
    """
    if rows_per_batch < 1:
        raise ValueError(f"rows_per_batch is {rows_per_batch}: choose at least 1")
    _check(population, days)
    return _rebatched(_blocks(population, days, progress), rows_per_batch)


def simulate_block(population: Population, block: int, *, days: Days | None = None) -> Iterator[pa.RecordBatch]:
    """The purchases of one of `population.blocks`, a batch a week: the unit for spreading work over processes."""
    first_day, last_day = _check(population, days)
    customers = draw_customers(population, block)
    first_week, last_week = population.week_of(first_day), population.week_of(last_day)
    finances = follow(population, block, customers, last_week + 1 + LOOK_AHEAD_WEEKS)
    hazard = weekly_hazard(population, customers, finances)
    for week in range(first_week, last_week + 1):
        batch = _week(population, block, customers, finances, hazard, week)
        starts, ends = population.first_day_of(week), population.first_day_of(week + 1) - timedelta(days=1)
        yield batch if first_day <= starts and ends <= last_day else _within(batch, first_day, last_day)


def _week(
    population: Population, block: int, customers: Customers, finances: Finances, hazard: Weekly, week: int
) -> pa.RecordBatch:
    """A whole week, drawn from a stream of its own, so that any day can be had without the days before it."""
    random = population.random(block, _PURCHASES, week)
    visits = draw_visits(population, customers, finances, week, random)
    baskets = fill_baskets(customers, visits, random)
    checkouts = check_out(customers, finances, week, visits, baskets, random)
    missed = days_to_first_missed(hazard, week, visits, baskets, random)
    return record_batch(population, week, customers, visits, baskets, checkouts, missed)


def _within(batch: pa.RecordBatch, first_day: date, last_day: date) -> pa.RecordBatch:
    day = pc.cast(batch["transaction_timestamp"], pa.date32(), safe=False)
    return batch.filter(pc.and_(pc.greater_equal(day, first_day), pc.less_equal(day, last_day)))


def _blocks(population: Population, days: Days | None, progress: Progress | None) -> Iterator[pa.RecordBatch]:
    for block in range(population.blocks):
        yield from simulate_block(population, block, days=days)
        if progress is not None:
            progress(population.customers_of(block).stop, population.customers)


def _rebatched(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in the same order, in batches of exactly `rows` but for the last."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        if count >= rows:
            whole = _joined(waiting)
            full = count - count % rows
            yield from (whole.slice(start, rows) for start in range(0, full, rows))
            waiting, count = [whole.slice(full)], count - full
    if count:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _check(population: Population, days: Days | None) -> Days:
    first, last = days or (population.first_day, population.last_day)
    if not population.first_day <= first <= last <= population.last_day:
        raise ValueError(
            f"days {first} to {last} are not within {population.first_day} to {population.last_day}: "
            "choose days inside, in order, or move the population's last_day"
        )
    return first, last
