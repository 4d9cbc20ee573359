"""World drift and broken pipelines are told apart: by rules over findings, and on simulated purchases with faults."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import TRANSACTIONS, group_subject
from bnpl_features.derive.query import group_query
from bnpl_features.derive.table import group_table
from bnpl_features.drift.examination import Rules, examine_subject
from bnpl_features.drift.findings import INDEX, TRAILING, TRAINING, WEEKS, Finding, Severity
from bnpl_features.drift.references import reference_in_force, set_reference
from bnpl_features.drift.verdict import Cause, Verdict, judge
from bnpl_features.features.catalog import group_named
from bnpl_features.simulator import (
    ConstantColumn,
    DriftedSegment,
    Fault,
    LostRows,
    MissingSource,
    NullColumn,
    Population,
    ScaledColumn,
    inject,
    simulate,
)
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

DAY = date(2026, 3, 20)
ONSET = DAY - timedelta(days=29)
HISTORY = 14
VOLUME = group_named("volume")
RULES = Rules()


def index(feature: str, value: float, reference: str, verdict: Severity) -> Finding:
    return Finding("volume", "all", feature, INDEX, value, reference, verdict)


def sign(measure: str, subject: str = "volume") -> Finding:
    return Finding(subject, "all", "amount", measure, 1.0, TRAILING, Severity.ERROR)


SLOW = [index("amount_mean_30d", 0.4, TRAINING, Severity.WARN), index("amount_max_30d", 0.3, TRAINING, Severity.WARN)]
QUIET = index("amount_mean_30d", 0.01, TRAILING, Severity.STABLE)


def test_nothing_found_is_stable() -> None:
    assert judge([QUIET]) == Verdict(Severity.STABLE, Cause.NONE, False, (), 0.01, "")


def test_slow_drift_of_several_features_out_of_a_healthy_source_asks_for_retraining() -> None:
    verdict = judge([QUIET, *SLOW])

    assert (verdict.severity, verdict.cause, verdict.retraining_asked) == (Severity.WARN, Cause.WORLD, True)
    assert verdict.drifted_features == ("amount_mean_30d", "amount_max_30d")
    assert verdict.largest_index == 0.01, "the index that blocks is that against the days before"


def test_one_feature_alone_is_no_changed_world() -> None:
    verdict = judge([QUIET, SLOW[0]])

    assert (verdict.severity, verdict.cause, verdict.retraining_asked) == (Severity.WARN, Cause.SHIFT, False)


def test_slow_drift_out_of_a_sick_source_asks_for_nothing() -> None:
    verdict = judge([QUIET, *SLOW], [sign("unit_change", "transactions")])

    assert (verdict.severity, verdict.cause, verdict.retraining_asked) == (Severity.WARN, Cause.UPSTREAM, False)
    assert "unit change of transactions amount" in verdict.explanation


def test_a_leap_blocks_however_coherent_it_is() -> None:
    leap = index("amount_mean_30d", 0.3, TRAILING, Severity.ERROR)

    verdict = judge([leap, *SLOW])

    assert (verdict.severity, verdict.cause, verdict.retraining_asked) == (Severity.ERROR, Cause.LEAP, False)


@pytest.mark.parametrize("measure", ["constant", "null_burst", "unit_change", "missing_category", "volume"])
def test_any_sign_of_a_fault_blocks(measure: str) -> None:
    verdict = judge([sign(measure), *SLOW])

    assert (verdict.severity, verdict.cause, verdict.retraining_asked) == (Severity.ERROR, Cause.PIPELINE, False)
    assert verdict.drifted_features[0] == "amount"


def test_the_weeks_before_stand_in_where_no_model_was_trained_yet() -> None:
    weeks = [index(one.feature, one.value, WEEKS, one.verdict) for one in SLOW]

    assert judge([QUIET, *weeks]).retraining_asked
    quiet = [index(one.feature, 0.0, TRAINING, Severity.STABLE) for one in SLOW]
    assert not judge([QUIET, *weeks, *quiet]).retraining_asked


class Lender:
    """Purchases of half a year in one file; the volume group and the profiles of the days that a test needs."""

    def __init__(self, folder: Path) -> None:
        self.warehouse = DuckDBWarehouse(folder, threads=1)
        self.folder = folder
        population = Population(
            3_000, DAY - timedelta(days=150), DAY, seed=8, purchases_per_year=60.0, joined_share=1.0
        )
        self.clean = pa.Table.from_batches(simulate(population))

    def receive(self, *faults: Fault) -> None:
        file = self.folder / "transactions" / "all" / "data.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        duckdb.from_arrow(inject(self.clean, faults)).write_parquet(str(file))

    def profile_purchases(self, day: date) -> None:
        self.warehouse.replace_partition(profiles_table(TRANSACTIONS), day, profile_query(TRANSACTIONS, day), {})

    def profile_volume(self, day: date) -> None:
        subject = group_subject(VOLUME)
        self.warehouse.replace_partition(group_table(VOLUME), day, group_query(VOLUME, day), {})
        self.warehouse.replace_partition(profiles_table(subject), day, profile_query(subject, day), {})

    def purchases(self, day: date) -> Verdict:
        return judge(examine_subject(self.warehouse, TRANSACTIONS, day, RULES, {}).of_all)

    def volume(self, day: date) -> Verdict:
        training = reference_in_force(self.warehouse, day, {})
        upstream = examine_subject(self.warehouse, TRANSACTIONS, day, RULES, {}, training).of_all
        found = examine_subject(self.warehouse, group_subject(VOLUME), day, RULES, {}, training)
        return judge(found.of_all, upstream)


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Lender:
    """Healthy until the day before ONSET, and the champion trained on the week before that."""
    made = Lender(tmp_path_factory.mktemp("lender"))
    made.receive()
    for n in range(1, HISTORY + 1):
        made.profile_purchases(ONSET - timedelta(days=n))
    for n in range(1, 8):
        made.profile_volume(ONSET - timedelta(days=n))
    first, last = ONSET - timedelta(days=7), ONSET - timedelta(days=1)
    set_reference(made.warehouse, first, last, set_on=last, model="behavioural 1", labels={})
    return made


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        (ConstantColumn("amount", 49.0, ONSET), "constant of transactions amount"),
        (ConstantColumn("device_type", "mobile", ONSET), "constant of transactions device_type"),
        (NullColumn("risk_score", ONSET), "null burst of transactions risk_score"),
        (ScaledColumn("amount", ONSET), "unit change of transactions amount by 9"),
        (ScaledColumn("amount", ONSET, factor=0.01), "unit change of transactions amount by 0.0"),
        (MissingSource("payment_provider", "klarna", ONSET), "missing category of transactions payment_provider"),
        (MissingSource("product_category", "electronics", ONSET), "missing category of transactions product_category"),
        (LostRows(0.8, ONSET), "volume of transactions rows (0."),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_a_broken_pipeline_blocks_on_its_first_day(fault: Fault, sign: str, lender: Lender) -> None:
    lender.receive(fault)
    lender.profile_purchases(ONSET)

    verdict = lender.purchases(ONSET)

    assert (verdict.severity, verdict.cause, verdict.retraining_asked) == (Severity.ERROR, Cause.PIPELINE, False)
    assert sign in verdict.explanation


def test_an_ordinary_day_is_stable(lender: Lender) -> None:
    lender.receive()
    lender.profile_purchases(ONSET)
    lender.profile_volume(ONSET)

    assert lender.purchases(ONSET).severity is not Severity.ERROR
    assert lender.volume(ONSET).cause is Cause.NONE


def test_a_world_that_changes_over_weeks_never_blocks_and_asks_for_retraining(lender: Lender) -> None:
    lender.receive(DriftedSegment(ONSET, share=0.8, amount_factor=2.5, night_share=0.0, ramp_days=14))
    verdicts = []
    for n in range(20):
        day = ONSET + timedelta(days=n)
        lender.profile_purchases(day)
        lender.profile_volume(day)
        verdicts.append((lender.purchases(day), lender.volume(day)))

    assert all(one.severity is not Severity.ERROR for pair in verdicts for one in pair)
    assert not verdicts[0][1].retraining_asked
    last = verdicts[-1][1]
    assert (last.cause, last.retraining_asked) == (Cause.WORLD, True)
    assert "amount_mean_30d" in last.drifted_features
