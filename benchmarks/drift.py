"""Drift on a year of simulated days: how often nothing is called drift, how long drift of a known size stays unseen.

    python -m benchmarks.drift [customers]

A day's verdict is that of the checks: five groups and the purchases, with the settings' defaults and the training
reference of the ninety days before the year. Beside it: what they say on Black Friday with and without the calendar.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.table import print_table
from bnpl_features.connect.models import drift_rules
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import TRANSACTIONS, group_subject
from bnpl_features.derive.query import group_query
from bnpl_features.derive.table import group_table
from bnpl_features.drift.examination import Rules, examine_subject, verdicts_of
from bnpl_features.drift.findings import Severity
from bnpl_features.drift.references import reference_in_force, set_reference
from bnpl_features.drift.subjects import GROUP_SUBJECTS
from bnpl_features.drift.verdict import Verdict
from bnpl_features.features.catalog import GROUPS
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.features.volume import VOLUME
from bnpl_features.settings import Settings
from bnpl_features.simulator import (
    ConstantColumn,
    DriftedSegment,
    Fault,
    LostRows,
    MissingSource,
    NullColumn,
    Population,
    Sale,
    ScaledColumn,
    inject,
    simulate,
)
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

FIRST_DAY, LAST_DAY = date(2025, 1, 1), date(2025, 12, 31)
TRAINING = (FIRST_DAY - timedelta(days=90), FIRST_DAY - timedelta(days=1))
ONSET = date(2025, 5, 5)
WATCHED_DAYS = 45
BLACK_FRIDAY = date(2025, 11, 28)
RULES = drift_rules(Settings())

DRIFTS: dict[str, Fault] = {
    "20 % of customers buy for 1.5 times as much, at once": DriftedSegment(ONSET, night_share=0.0),
    "40 % for twice as much, at once": DriftedSegment(ONSET, share=0.4, amount_factor=2.0, night_share=0.0),
    "40 % for twice as much, over 30 days": DriftedSegment(
        ONSET, share=0.4, amount_factor=2.0, night_share=0.0, ramp_days=30
    ),
    "70 % for twice as much, over 30 days": DriftedSegment(
        ONSET, share=0.7, amount_factor=2.0, night_share=0.0, ramp_days=30
    ),
    "80 % for 3 times as much, 40 % of it at night, over 30 days": DriftedSegment(
        ONSET, share=0.8, amount_factor=3.0, night_share=0.4, ramp_days=30
    ),
}
FAULTS: dict[str, Fault] = {
    "amount in cents": ScaledColumn("amount", ONSET),
    "amount constant": ConstantColumn("amount", 50.0, ONSET),
    "risk_score null": NullColumn("risk_score", ONSET),
    "device_type constant": ConstantColumn("device_type", "mobile", ONSET),
    "one provider missing": MissingSource("payment_provider", "klarna", ONSET),
    "70 % of purchases lost": LostRows(0.7, ONSET),
}


@dataclass(frozen=True)
class Lender:
    """A warehouse of features and profiles; the purchases are one file, as a day's worth of files opens slowly."""

    folder: Path

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.folder)

    def receive(self, table: pa.Table) -> None:
        file = self.folder / "transactions" / "all" / "data.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # it may be a link to another lender's
        duckdb.from_arrow(table).order("transaction_timestamp").write_parquet(str(file), row_group_size=50_000)

    def compute(self, first: date, last: date, groups: Sequence[FeatureGroup] = GROUPS) -> float:
        """Features and profiles of some days; returns the seconds that the profiles took."""
        seconds = 0.0
        for day in days(first, last):
            for group in groups:
                self.warehouse.replace_partition(group_table(group), day, group_query(group, day), {})
            for subject in (TRANSACTIONS, *map(group_subject, groups)):
                profile = profile_query(subject, day)
                seconds += self.warehouse.replace_partition(profiles_table(subject), day, profile, {}).seconds
        return seconds

    def verdicts(self, day: date, groups: Sequence[FeatureGroup] = GROUPS, rules: Rules = RULES) -> dict[str, Verdict]:
        training = reference_in_force(self.warehouse, day, {})
        subjects = (TRANSACTIONS, *map(group_subject, groups))
        examined = [examine_subject(self.warehouse, subject, day, rules, {}, training) for subject in subjects]
        return verdicts_of(examined, rules)

    @contextmanager
    def with_faults(self, purchases: pa.Table, faults: Sequence[Fault]) -> Iterator[Lender]:
        """Another lender of the same history, but with faults in the purchases."""
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as parent:
            folder = Path(parent) / "lender"
            shutil.copytree(self.folder, folder, copy_function=os.link)
            changed = Lender(folder)
            changed.receive(inject(purchases, faults))
            yield changed


def main(customers: int = 4_000) -> None:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        lender = Lender(Path(folder) / "lender")
        lender.folder.mkdir()
        purchases = _purchases(customers)
        lender.receive(purchases)
        seconds = lender.compute(TRAINING[0], LAST_DAY)
        subjects = (*GROUP_SUBJECTS, TRANSACTIONS)
        set_reference(
            lender.warehouse, *TRAINING, set_on=TRAINING[1], model="behavioural 1", labels={}, subjects=subjects
        )
        computed = (LAST_DAY - TRAINING[0]).days + 1
        cost = f"profiles {seconds / computed * 1e3:.0f} ms a day"
        title = f"{customers:,} customers, {purchases.num_rows:,} purchases, {cost}"
        _false_alarms(lender, title)
        _delays(lender, purchases)
        _first_day_of_faults(lender, purchases)
        _black_friday(lender, purchases)
    print(f"{time.perf_counter() - started:.0f} s")


def days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _purchases(customers: int) -> pa.Table:
    """Over a year before the training data, so that windows of 365 days are full."""
    first = TRAINING[0] - timedelta(days=400)
    population = Population(customers, first, LAST_DAY, seed=11, purchases_per_year=36.0, joined_share=0.85)
    return pa.Table.from_batches(simulate(population))


def _false_alarms(lender: Lender, title: str) -> None:
    found: dict[str, Counter[str]] = {}
    blamed: Counter[str] = Counter()
    total = 0
    for day in days(FIRST_DAY, LAST_DAY):
        total += 1
        for subject, verdict in lender.verdicts(day).items():
            counts = found.setdefault(subject, Counter())
            counts[verdict.severity.value] += 1
            counts["asks"] += verdict.retraining_asked
            blamed.update(f"{subject} {name}" for name in verdict.drifted_features)
    rows = [
        (subject, total, *(f"{counts[kind]} ({counts[kind] / total:.1%})" for kind in ("warn", "error", "asks")))
        for subject, counts in found.items()
    ]
    print_table(f"Undrifted days: {title}", ("subject", "days", "warned", "blocked", "asked for retraining"), rows)
    print_table("Named most often", ("feature", "days"), blamed.most_common(8))


def _delays(lender: Lender, purchases: pa.Table) -> None:
    rows = []
    for name, drift in DRIFTS.items():
        by_day = []
        with lender.with_faults(purchases, [drift]) as changed:
            for day in days(ONSET, ONSET + timedelta(days=WATCHED_DAYS - 1)):
                changed.compute(day, day, (VOLUME,))
                by_day.append(changed.verdicts(day, (VOLUME,)))
        rows.append((name, *(_first_day(by_day, what) for what in ("warn", "error", "asks"))))
    title = f"Drift of known size, as the purchases and the group volume show it within {WATCHED_DAYS} days"
    print_table(title, ("what changes", "first warning", "first block", "first call for retraining"), rows)


def _first_day_of_faults(lender: Lender, purchases: pa.Table) -> None:
    rows = []
    for name, fault in FAULTS.items():
        with lender.with_faults(purchases, [fault]) as changed:
            changed.compute(ONSET, ONSET, ())
            verdict = changed.verdicts(ONSET, ())[TRANSACTIONS.name]
        rows.append((name, verdict.severity.value, verdict.cause.value, ", ".join(verdict.drifted_features[:3])))
    print_table("Broken pipelines, on their first day", ("fault", "verdict", "cause", "named"), rows)


def _first_day(by_day: Sequence[dict[str, Verdict]], what: str) -> str:
    numbers = (n for n, verdicts in enumerate(by_day, start=1) if any(_says(one, what) for one in verdicts.values()))
    first = next(numbers, None)
    return f"day {first}" if first else "never"


def _says(verdict: Verdict, what: str) -> bool:
    if what == "asks":
        return verdict.retraining_asked
    return verdict.severity is not Severity.STABLE if what == "warn" else verdict.severity is Severity.ERROR


def _black_friday(lender: Lender, purchases: pa.Table) -> None:
    sale = Sale(BLACK_FRIDAY, BLACK_FRIDAY + timedelta(days=3))
    ordinary = replace(RULES, calendar=())
    rows = []
    with lender.with_faults(purchases, [sale]) as changed:
        for day in days(BLACK_FRIDAY, BLACK_FRIDAY + timedelta(days=9)):
            changed.compute(day, day, (VOLUME,))
            verdicts = (changed.verdicts(day, (VOLUME,), rules) for rules in (ordinary, RULES))
            rows.append((day, *map(_worst, verdicts)))
    title = "Black Friday to Cyber Monday, three times the purchases for 1.4 times as much; group volume and purchases"
    print_table(title, ("day", "without the calendar", "with it"), rows)


def _worst(verdicts: dict[str, Verdict]) -> str:
    subject, one = max(
        verdicts.items(), key=lambda item: (list(Severity).index(item[1].severity), item[1].largest_index)
    )
    return f"{one.severity.value}: {subject}, {one.cause} ({one.largest_index:.2f})"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
