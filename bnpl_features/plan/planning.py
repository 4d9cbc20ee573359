"""The daily job at a size: bytes, slots and USD of each statement, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import group_table, transactions_table, vectors_table
from bnpl_features.features.catalog import GROUPS
from bnpl_features.features.feature import HISTORY
from bnpl_features.plan.daily import tables
from bnpl_features.plan.prices import WarehousePrices
from bnpl_features.plan.scans import Scan, scans_of
from bnpl_features.plan.sizes import Sample, Size, rows_a_day, scanned_bytes
from bnpl_features.plan.statement import Api, Statement

TIB, GIB = 2**40, 2**30
LEAST_BYTES = 10 * 2**20
"""Billed of each table that a query refers to."""

DAYS_A_MONTH = 30
LONG_TERM_AFTER_DAYS = 90

SLOT_SECONDS_PER_CPU_SECOND = 2.0
"""Assumed, not measured: BigQuery shuffles between machines what DuckDB keeps in one. The slots of a real run are in
`INFORMATION_SCHEMA.JOBS` (docs/bigquery-plan.md)."""

BY_CUSTOMER = frozenset({*(group_table(group).name for group in GROUPS), vectors_table().name})
TRANSACTIONS = transactions_table().name


@dataclass(frozen=True)
class Planned:
    """One statement: bytes that it reads, what of them is billed, and the slot-seconds of a query, if estimated."""

    step: str
    purpose: str
    api: Api
    bytes: int
    bytes_billed: int
    slot_seconds: float | None
    usd_on_demand: float
    how: str

    @property
    def gib(self) -> float:
        return self.bytes / GIB


@dataclass(frozen=True)
class Stored:
    """GiB that are kept, `active` those of the newest days, and what they cost a month."""

    active_gib: float
    long_term_gib: float
    usd_per_month: float


@dataclass(frozen=True)
class Plan:
    """A day at a size; `stored` is None where bytes are of a dry run, which knows nothing of the other days."""

    size: Size | None
    statements: tuple[Planned, ...]
    stored: Stored | None

    def bytes(self, api: Api) -> int:
        return sum(one.bytes for one in self.statements if one.api is api)

    @property
    def usd_per_day(self) -> float:
        """On demand."""
        return sum(one.usd_on_demand for one in self.statements)

    @property
    def slot_hours_per_day(self) -> float | None:
        known = [one.slot_seconds for one in self.statements if one.slot_seconds is not None]
        return sum(known) / 3_600 if known else None

    @property
    def usd_per_day_storage_read(self) -> float:
        """Billed beside slots, too."""
        return sum(one.usd_on_demand for one in self.statements if one.api is Api.STORAGE_READ)


def reads_of(statements: Sequence[Statement], day: date) -> dict[str, list[Scan]]:
    """Statement -> what it reads, of a warehouse that has the days that features look back on."""
    of_query: dict[str, list[Scan]] = {}
    known, days = tables(), [day - timedelta(days=number) for number in range(HISTORY.days)]
    found = {}
    for one in statements:
        text = f"{one.query.sql} {sorted(one.query.parameters.items(), key=str)}"
        if text not in of_query:
            of_query[text] = scans_of(one.query, known, days)
        found[one.key] = of_query[text]
    return found


def plan_computed(
    statements: Sequence[Statement],
    reads: Mapping[str, Sequence[Scan]],
    size: Size,
    sample: Sample,
    prices: WarehousePrices,
    kept_days: int,
    timed: Sample,
) -> Plan:
    """Bytes by BigQuery's rules, of the columns and days that each statement reads, with the weights of `sample`; slots
    in proportion to the bytes of `timed`, the sample of which CPU seconds were measured."""
    rows, rows_timed = _rows(size, sample), _rows(Size(timed.customers, timed.purchases_per_customer), timed)
    planned = []
    for one in statements:
        total, count = scanned_bytes(reads[one.key], rows, sample)
        measured, _ = scanned_bytes(reads[one.key], rows_timed, timed)
        cpu = timed.cpu_seconds.get(one.key)
        slots = None if cpu is None or not measured else cpu * SLOT_SECONDS_PER_CPU_SECOND * total / measured
        planned.append(_planned(one, int(total), count, slots, prices, "computed"))
    return Plan(size, tuple(planned), _stored(rows, sample, kept_days, prices))


def plan_by_dry_run(
    statements: Sequence[Statement],
    reads: Mapping[str, Sequence[Scan]],
    estimate: Callable[[Query], int],
    prices: WarehousePrices,
) -> Plan:
    """Bytes as BigQuery says for the warehouse as it is: `estimate` is a dry run."""
    planned = (
        _planned(one, estimate(one.query), len({scan.table for scan in reads[one.key]}), None, prices, "dry run")
        for one in statements
    )
    return Plan(None, tuple(planned), None)


def _planned(
    one: Statement, total: int, read_tables: int, slots: float | None, prices: WarehousePrices, how: str
) -> Planned:
    if one.api is Api.STORAGE_READ:
        usd = total / TIB * prices.usd_per_tib_storage_read
        return Planned(one.step, one.purpose, one.api, total, total, None, usd, how)
    billed = max(total, LEAST_BYTES * max(read_tables, 1))
    return Planned(one.step, one.purpose, one.api, total, billed, slots, billed / TIB * prices.usd_per_tib_scanned, how)


def _rows(size: Size, sample: Sample) -> dict[str, float]:
    return {name: rows_a_day(name, size, sample, BY_CUSTOMER, TRANSACTIONS) for name in sample.tables}


def _stored(rows: Mapping[str, float], sample: Sample, kept_days: int, prices: WarehousePrices) -> Stored:
    """Purchases of the look-back, and `kept_days` of everything that is computed."""
    active = long_term = 0.0
    for name, table in sample.tables.items():
        a_day = rows[name] * sum(table.bytes_a_row.values()) / GIB
        days = HISTORY.days if name == TRANSACTIONS else kept_days
        active += a_day * min(days, LONG_TERM_AFTER_DAYS)
        long_term += a_day * max(days - LONG_TERM_AFTER_DAYS, 0)
    usd = active * prices.usd_per_gib_month_active + long_term * prices.usd_per_gib_month_long_term
    return Stored(active, long_term, usd)
