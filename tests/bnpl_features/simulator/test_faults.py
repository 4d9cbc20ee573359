"""Each fault does what it says, on its days and in its columns, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bnpl_features.simulator import (
    ConstantColumn,
    DriftedSegment,
    DuplicatedRows,
    Fault,
    LostRows,
    MissingDays,
    MissingSource,
    NullColumn,
    Population,
    Sale,
    ScaledColumn,
    inject,
    simulate,
)

FROM, TO = date(2025, 2, 10), date(2025, 2, 16)
AMOUNTS = {"amount", "product_price", "first_payment_amount"}
EVERY_FAULT: list[Fault] = [
    DriftedSegment(FROM, TO, share=0.5),
    ConstantColumn("risk_score", 0.5, FROM, TO),
    NullColumn("device_id", FROM, TO),
    ScaledColumn("amount", FROM, TO),
    MissingDays(FROM, TO),
    MissingSource("payment_provider", "klarna", FROM, TO),
    LostRows(0.5, FROM, TO),
    Sale(FROM, TO),
    DuplicatedRows(0.5, FROM, TO),
]


@pytest.fixture(scope="module")
def clean() -> pa.Table:
    return pa.Table.from_batches(
        simulate(Population(customers=2_000, first_day=date(2025, 1, 20), last_day=date(2025, 3, 9), seed=1))
    )


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_rows_of_other_days_stay_as_they_are(clean: pa.Table, fault: Fault) -> None:
    assert outside(inject(clean, [fault])).equals(outside(clean))


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_the_schema_stays_as_it_is(clean: pa.Table, fault: Fault) -> None:
    assert inject(clean, [fault]).schema == clean.schema
    assert inject(clean.slice(0, 0), [fault]).schema == clean.schema


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_faulty_batches_are_the_batches_of_the_faulty_table(clean: pa.Table, fault: Fault) -> None:
    half = clean.num_rows // 2

    in_parts = [inject(part, [fault]) for part in (clean.slice(0, half), clean.slice(half))]

    assert pa.concat_tables(in_parts).equals(inject(clean, [fault]))


@pytest.mark.parametrize("fault", EVERY_FAULT, ids=lambda fault: type(fault).__name__)
def test_every_fault_leaves_a_trace(clean: pa.Table, fault: Fault) -> None:
    assert not inject(clean, [fault]).equals(clean)


def test_no_fault_changes_nothing(clean: pa.Table) -> None:
    assert inject(clean, []).equals(clean)


def test_without_a_last_day_a_fault_stays(clean: pa.Table) -> None:
    faulty = inject(clean, [NullColumn("device_id", FROM)])

    broken = pc.is_null(faulty["device_id"]).to_numpy()

    assert (broken == (days(clean) >= np.datetime64(FROM))).all()


def test_a_drifted_segment_changes_amounts_and_times_only(clean: pa.Table) -> None:
    drifted = inject(clean, [DriftedSegment(FROM, TO, share=0.5)])

    assert changed_columns(clean, drifted) == AMOUNTS | {"transaction_timestamp"}


def test_a_drifted_segment_is_a_share_of_customers_who_all_drift(clean: pa.Table) -> None:
    drifted = inject(clean, [DriftedSegment(FROM, TO, share=0.3, amount_factor=2.0, night_share=0.0)])

    before = inside(clean)
    ratio = inside(drifted)["amount"].to_numpy() / before["amount"].to_numpy()
    changed = pa.table({"customer_id": before["customer_id"], "changed": ratio == 2.0})
    per_customer = changed.group_by("customer_id").aggregate([("changed", "min"), ("changed", "max")])

    assert set(ratio) == {1.0, 2.0}
    assert per_customer["changed_min"].equals(per_customer["changed_max"])
    assert pc.mean(per_customer["changed_max"].cast(pa.int8())).as_py() == pytest.approx(0.3, abs=0.05)


def test_a_drifted_segment_buys_at_night_of_the_same_date(clean: pa.Table) -> None:
    drifted = inject(clean, [DriftedSegment(FROM, TO, share=1.0, amount_factor=1.0, night_share=0.4)])

    was, now = at_night(inside(clean)), at_night(inside(drifted))

    assert (days(drifted) == days(clean)).all()
    assert now[was].all()
    assert now[~was].mean() == pytest.approx(0.4, abs=0.04)
    assert changed_columns(clean, drifted) == {"transaction_timestamp"}


def test_another_seed_drifts_another_segment(clean: pa.Table) -> None:
    first, second = (inject(clean, [DriftedSegment(FROM, share=0.5, seed=seed)]) for seed in (0, 1))

    assert not first.equals(second)


@pytest.mark.parametrize(
    ("column", "value"), [("risk_score", 0.5), ("device_type", "mobile"), ("installment_count", 4)]
)
def test_a_constant_column_says_the_same_in_every_row(clean: pa.Table, column: str, value: float | str) -> None:
    faulty = inject(clean, [ConstantColumn(column, value, FROM, TO)])

    assert pc.unique(inside(faulty)[column]).to_pylist() == [value]
    assert changed_columns(clean, faulty) == {column}


@pytest.mark.parametrize("column", ["risk_score", "device_id", "device_is_trusted", "transaction_id"])
def test_a_null_column_is_null_in_every_row(clean: pa.Table, column: str) -> None:
    faulty = inject(clean, [NullColumn(column, FROM, TO)])

    assert inside(faulty)[column].null_count == inside(clean).num_rows
    assert changed_columns(clean, faulty) == {column}


@pytest.mark.parametrize("column", ["amount", "time_on_site_seconds"])
def test_a_scaled_column_changes_its_unit(clean: pa.Table, column: str) -> None:
    faulty = inject(clean, [ScaledColumn(column, FROM, TO, factor=100)])

    assert np.allclose(inside(faulty)[column].to_numpy(), 100 * inside(clean)[column].to_numpy())
    assert changed_columns(clean, faulty) == {column}


def test_missing_days_have_no_rows(clean: pa.Table) -> None:
    faulty = inject(clean, [MissingDays(FROM, TO)])

    assert faulty.equals(outside(clean))


def test_duplicated_rows_stand_behind_their_originals(clean: pa.Table) -> None:
    faulty = inject(clean, [DuplicatedRows(0.25, FROM, TO)])

    ids = faulty["transaction_id"].to_pylist()
    copies = np.array([False] + [left == right for left, right in pairwise(ids)])

    assert faulty.filter(pa.array(~copies)).equals(clean)
    assert copies.sum() == pytest.approx(0.25 * inside(clean).num_rows, rel=0.1)
    assert faulty.filter(pa.array(copies)).equals(
        clean.filter(pc.is_in(clean["transaction_id"], pa.array(ids).filter(pa.array(copies))))
    )


def test_faults_apply_in_the_order_given(clean: pa.Table) -> None:
    scaled, constant = ScaledColumn("amount", FROM, TO, factor=2), ConstantColumn("amount", 10.0, FROM, TO)

    assert pc.unique(inside(inject(clean, [constant, scaled]))["amount"]).to_pylist() == [20.0]
    assert pc.unique(inside(inject(clean, [scaled, constant]))["amount"]).to_pylist() == [10.0]


def test_a_fault_survives_the_column_it_needs_being_null(clean: pa.Table) -> None:
    without_customers = inject(clean, [NullColumn("customer_id", FROM, TO)])

    assert inject(without_customers, [DriftedSegment(FROM, TO)]).num_rows == clean.num_rows


@pytest.mark.parametrize(
    ("make", "mend"),
    [
        (lambda: MissingDays(TO, FROM), "swap them"),
        (lambda: NullColumn("amout", FROM), "choose one of transaction_id"),
        (lambda: ConstantColumn("risk_score", "high", FROM), "choose a double"),
        (lambda: ConstantColumn("device_type", 3, FROM), "choose a string"),
        (lambda: ScaledColumn("device_type", FROM), "choose a numeric column"),
        (lambda: DuplicatedRows(1.5, FROM), "share between 0 and 1"),
        (lambda: DriftedSegment(FROM, amount_factor=0), "more than 0"),
        (lambda: DriftedSegment(FROM, night_share=-0.1), "night_share.*between 0 and 1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_the_mend(make: Callable[[], Fault], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        make()


def days(table: pa.Table) -> np.ndarray:
    return table["transaction_timestamp"].to_numpy().astype("datetime64[D]")


def inside(table: pa.Table) -> pa.Table:
    return table.filter(_within(table))


def outside(table: pa.Table) -> pa.Table:
    return table.filter(pc.invert(_within(table)))


def _within(table: pa.Table) -> pa.ChunkedArray:
    start, end = (datetime.combine(day, datetime.min.time(), UTC) for day in (FROM, TO + timedelta(days=1)))
    moments = table["transaction_timestamp"]
    return pc.and_(pc.greater_equal(moments, start), pc.less(moments, end))


def at_night(table: pa.Table) -> np.ndarray:
    hour = pc.hour(table["transaction_timestamp"]).to_numpy()
    return (hour >= 22) | (hour < 6)


def changed_columns(before: pa.Table, after: pa.Table) -> set[str]:
    return {name for name in before.column_names if not before[name].equals(after[name])}


def test_a_source_that_stopped_takes_its_rows_along(clean: pa.Table) -> None:
    faulty = inject(clean, [MissingSource("payment_provider", "klarna", FROM, TO)])

    assert "klarna" in inside(clean)["payment_provider"].to_pylist()
    assert inside(faulty).equals(inside(clean).filter(pc.not_equal(inside(clean)["payment_provider"], "klarna")))


def test_lost_rows_are_about_their_share(clean: pa.Table) -> None:
    left = inside(inject(clean, [LostRows(0.3, FROM, TO)])).num_rows / inside(clean).num_rows

    assert left == pytest.approx(0.7, abs=0.07)


def test_a_sale_multiplies_purchases_and_amounts_and_every_purchase_has_an_identity(clean: pa.Table) -> None:
    sold, usual = inside(inject(clean, [Sale(FROM, TO, purchases_factor=3, amount_factor=2.0)])), inside(clean)

    assert sold.num_rows == 3 * usual.num_rows
    assert pc.mean(sold["amount"]).as_py() == pytest.approx(2 * pc.mean(usual["amount"]).as_py())
    identity = zip(*(sold[name].to_pylist() for name in ("transaction_id", "customer_id")), strict=True)
    assert (
        len(set(identity))
        == len(set(zip(*(usual[name].to_pylist() for name in ("transaction_id", "customer_id")), strict=True))) * 3
    )


def test_a_ramp_reaches_its_share_on_its_last_day(clean: pa.Table) -> None:
    ramped = inject(clean, [DriftedSegment(FROM, TO, share=0.8, amount_factor=2.0, night_share=0.0, ramp_days=7)])

    def changed(day: date) -> float:
        on = [pc.equal(pc.cast(t["transaction_timestamp"], pa.date32(), safe=False), day) for t in (clean, ramped)]
        before, after = (t["amount"].filter(rows) for t, rows in zip((clean, ramped), on, strict=True))
        return float(pc.mean(pc.cast(pc.not_equal(before, after), pa.float64())).as_py())

    assert changed(FROM) < 0.25 < changed(FROM + timedelta(days=3)) < changed(TO)
    assert changed(TO) == pytest.approx(0.8, abs=0.1)
