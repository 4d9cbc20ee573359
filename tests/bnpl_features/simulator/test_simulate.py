"""The same population gives the same purchases, however and whenever they are asked for."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpl_features.simulator import Population, simulate, simulate_block

FIRST = date(2025, 1, 1)
SMALL = Population(customers=400, first_day=FIRST, last_day=date(2025, 2, 26), seed=3)
TWO_BLOCKS = Population(customers=50_300, first_day=FIRST, last_day=date(2025, 1, 9), seed=3)


def test_the_same_population_gives_the_same_bytes() -> None:
    assert fingerprint(everything(SMALL)) == fingerprint(everything(SMALL))


def test_another_process_gives_the_same_bytes() -> None:
    program = f"""
import datetime, sys, pyarrow as pa
from bnpl_features.simulator import Population, simulate
for batch in simulate({SMALL!r}):
    pa.ipc.new_stream(sys.stdout.buffer, batch.schema).write_batch(batch)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=60)

    assert fingerprint(pa.ipc.open_stream(done.stdout).read_all()) == fingerprint(everything(SMALL))


def test_another_seed_gives_other_purchases() -> None:
    assert not everything(SMALL).equals(everything(replace(SMALL, seed=4)))


@pytest.mark.parametrize("rows", [1, 7, 1_000, 10_000_000])
def test_the_size_of_batches_changes_no_row(rows: int) -> None:
    short = replace(SMALL, last_day=date(2025, 1, 20))

    batches = list(simulate(short, rows_per_batch=rows))

    assert all(batch.num_rows == rows for batch in batches[:-1])
    assert 0 < batches[-1].num_rows <= rows
    assert fingerprint(pa.Table.from_batches(batches)) == fingerprint(everything(short))


def test_blocks_simulated_apart_are_the_population() -> None:
    apart = [batch for block in (1, 0) for batch in simulate_block(TWO_BLOCKS, block)]

    assert by_id(pa.Table.from_batches(apart)).equals(by_id(everything(TWO_BLOCKS)))


def test_no_block_repeats_another() -> None:
    full_blocks = replace(TWO_BLOCKS, customers=100_000, last_day=FIRST)

    first, second = (pa.Table.from_batches(simulate_block(full_blocks, block)) for block in (0, 1))

    assert first["amount"].to_pylist() != second["amount"].to_pylist()


def test_more_customers_leave_full_blocks_as_they_are() -> None:
    fewer = everything(replace(TWO_BLOCKS, customers=50_000))

    assert everything(TWO_BLOCKS).slice(0, fewer.num_rows).equals(fewer)


@settings(max_examples=15, deadline=None)
@given(until=st.integers(0, 56), more=st.integers(1, 40))
def test_a_later_last_day_only_adds_purchases(until: int, more: int) -> None:
    last = FIRST + timedelta(days=until)

    short = everything(replace(SMALL, last_day=last))
    extended = everything(replace(SMALL, last_day=last + timedelta(days=more)))

    assert fingerprint(on_days(extended, FIRST, last)) == fingerprint(short)
    assert extended.num_rows > short.num_rows


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 56), length=st.integers(0, 56))
def test_some_days_are_those_rows_of_all_days(start: int, length: int) -> None:
    first = FIRST + timedelta(days=start)
    last = min(first + timedelta(days=length), SMALL.last_day)

    some = everything(SMALL, days=(first, last))

    assert fingerprint(some) == fingerprint(on_days(everything(SMALL), first, last))


def test_tomorrow_can_be_appended() -> None:
    tomorrow = SMALL.last_day + timedelta(days=1)
    extended = replace(SMALL, last_day=tomorrow)

    appended = pa.concat_tables([everything(SMALL), everything(extended, days=(tomorrow, tomorrow))])

    assert fingerprint(appended) == fingerprint(everything(extended))


def test_every_day_of_the_population_has_purchases_and_no_other() -> None:
    days = set(pc.unique(pc.cast(everything(SMALL)["transaction_timestamp"], pa.date32(), safe=False)).to_pylist())

    assert days == {FIRST + timedelta(days=n) for n in range((SMALL.last_day - FIRST).days + 1)}


def test_rows_of_a_block_come_in_order_of_time() -> None:
    moments = everything(SMALL)["transaction_timestamp"].cast(pa.int64()).to_numpy()

    assert (moments[1:] >= moments[:-1]).all()


def test_batches_arrive_before_the_population_is_done() -> None:
    done: list[tuple[int, int]] = []

    stream = simulate(TWO_BLOCKS, rows_per_batch=1_000, progress=lambda *customers: done.append(customers))
    next(stream)

    assert done == []
    assert sum(batch.num_rows for batch in stream) > 0
    assert done == [(50_000, 50_300), (50_300, 50_300)]


def test_a_population_nobody_has_joined_yet_has_no_purchases() -> None:
    nobody = replace(SMALL, customers=3, joined_share=0.0, mean_days_to_join=1e6)

    assert list(simulate(nobody)) == []


@pytest.mark.parametrize(
    "days", [(date(2024, 12, 31), FIRST), (FIRST, date(2025, 2, 27)), (date(2025, 1, 2), date(2025, 1, 1))]
)
def test_days_outside_the_population_are_refused_at_once(days: tuple[date, date]) -> None:
    with pytest.raises(ValueError, match="choose days inside"):
        simulate(SMALL, days=days)


def test_batches_without_rows_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        simulate(SMALL, rows_per_batch=0)


def everything(population: Population, days: tuple[date, date] | None = None) -> pa.Table:
    return pa.Table.from_batches(simulate(population, days=days))


def on_days(table: pa.Table, first: date, last: date) -> pa.Table:
    day = pc.cast(table["transaction_timestamp"], pa.date32(), safe=False)
    return table.filter(pc.and_(pc.greater_equal(day, first), pc.less_equal(day, last)))


def by_id(table: pa.Table) -> pa.Table:
    return table.sort_by("transaction_id")


def fingerprint(table: pa.Table) -> str:
    """Of the bytes of all rows, whatever batches they came in."""
    whole = table.take(pa.array(range(table.num_rows))).combine_chunks()
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, whole.schema).write_table(whole)
    return hashlib.sha256(sink.getvalue()).hexdigest()
