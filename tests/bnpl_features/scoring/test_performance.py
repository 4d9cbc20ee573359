"""Logged predictions beside outcomes, on a real warehouse: what is measured is what was planted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from bnpl_features.risk_model.bootstrap import Interval
from bnpl_features.scoring.performance import (
    Bounds,
    Performance,
    degradation,
    figures_of,
    measured,
    of_version,
)
from bnpl_features.scoring.prediction_table import predictions_table
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.bigquery import connect
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.load import SCHEMA
from bnpl_features.warehouse.warehouse import Warehouse
from tests.bnpl_features.scoring.checkout import PURCHASE
from tests.bnpl_features.scoring.test_predictions import record
from tests.emulator import Emulator

FIRST, MATURITY_DAYS, DAYS = date(2026, 3, 1), 30, 3
AS_OF = FIRST + timedelta(days=DAYS - 1 + MATURITY_DAYS)
PURCHASES = 6_000
BOUNDS = Bounds()


def fill(warehouse: Warehouse, hazard: float = 1.0, purchases: int = PURCHASES) -> Warehouse:
    """Three days of purchases that default `hazard` times as often as version 3 said; a shadow guesses at random."""
    dice = np.random.default_rng(7)
    predictions: dict[date, list[dict[str, object]]] = {}
    rows = []
    for number in range(purchases):
        day = FIRST + timedelta(days=number % DAYS)
        moment = datetime(day.year, day.month, day.day, 10, tzinfo=UTC) + timedelta(microseconds=number)
        probability = float(dice.beta(1.0, 9.0))
        will_default = bool(dice.random() < min(1.0, probability * hazard))
        about = {
            "transaction_id": f"t{number}",
            "transaction_timestamp": moment,
            "customer_digest": f"{number % (purchases // 2) * 2_654_435_761 % 2**32:08x}{number:08x}",
        }
        made = [
            record(number, day, **about, probability=probability),
            record(number, day, **about, probability=probability, request_id="again"),
            record(number, day, **about, arm="new", is_shadow=True, model_version=4, probability=float(dice.random())),
            record(number, day, **about, arm="mute", model=None, model_version=None, probability=None),
        ]
        predictions.setdefault(day, []).extend(msgspec.structs.asdict(one) for one in made)
        rows.append(
            PURCHASE
            | {
                "transaction_id": f"t{number}",
                "customer_id": f"c{number}",
                "transaction_timestamp": moment,
                "status": "cancelled" if number % 10 == 0 else "completed",
                "will_default": will_default,
                "days_to_first_missed_payment": 10 if will_default else None,
            }
        )
    table = pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in rows], SCHEMA)
    warehouse.upsert_transactions(iter(table.to_batches()), {})
    for day, made_then in predictions.items():
        batch = pa.RecordBatch.from_pylist(made_then, arrow_schema(predictions_table()))
        warehouse.replace_partition_rows(predictions_table(), day, iter([batch]), {})
    return warehouse


@pytest.fixture(scope="module")
def as_predicted(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return fill(DuckDBWarehouse(tmp_path_factory.mktemp("as-predicted"), threads=1))


def found(warehouse: Warehouse, as_of: date = AS_OF, **options: int) -> list[Performance]:
    given = {"days": DAYS, "maturity_days": MATURITY_DAYS, "resamples": 50} | options
    return measured(warehouse, "transactions", as_of=as_of, **given)  # type: ignore[arg-type]


def test_a_model_that_is_right_measures_as_right(as_predicted: Warehouse) -> None:
    champion = of_version(found(as_predicted), "behavioural", 3)

    assert champion is not None
    assert champion.purchases == PURCHASES * 9 // 10  # the cancelled have no outcome, a repeated request counts once
    assert champion.days == (FIRST, FIRST + timedelta(days=DAYS - 1))
    assert champion.observed_to_expected.low < 1.0 < champion.observed_to_expected.high
    assert (champion.calibration_intercept, champion.calibration_slope) == pytest.approx((0.0, 1.0), abs=0.15)
    assert champion.auc_expected.value == pytest.approx(champion.roc_auc.value, abs=0.03)
    assert degradation(champion, champion.roc_auc.value, BOUNDS) == ()


def test_a_shadow_is_measured_apart_and_a_guess_is_seen(as_predicted: Warehouse) -> None:
    measures = found(as_predicted)
    [shadow] = [one for one in measures if one.is_shadow]

    assert len(measures) == 2
    assert (shadow.version, of_version(measures, "behavioural", 4)) == (4, None)
    assert shadow.roc_auc.low < 0.5 < shadow.roc_auc.high
    calibration, discrimination = degradation(shadow, 0.7, BOUNDS)
    assert "times as many defaults as predicted" in calibration
    assert "ROC-AUC" in discrimination


def test_more_defaults_than_predicted_are_found_though_the_order_still_holds(tmp_path: Path) -> None:
    tmp_path.joinpath("w").mkdir()
    worse = of_version(found(fill(DuckDBWarehouse(tmp_path / "w", threads=1), hazard=1.6)), "behavioural", 3)

    assert worse is not None
    assert worse.calibration_intercept > 0.3
    [finding] = degradation(worse, worse.roc_auc.value, BOUNDS)
    assert finding.endswith("times as many defaults as predicted, from 1.25 on it counts")


def test_outcomes_that_are_not_mature_do_not_count(as_predicted: Warehouse) -> None:
    assert found(as_predicted, as_of=FIRST + timedelta(days=MATURITY_DAYS - 1)) == []
    [champion, _] = found(as_predicted, as_of=FIRST + timedelta(days=MATURITY_DAYS))
    assert champion.purchases == PURCHASES * 9 // 10 // DAYS


def test_of_very_many_predictions_those_of_some_customers_are_taken(as_predicted: Warehouse) -> None:
    [champion, _] = found(as_predicted, most_rows=PURCHASES * 3 // 4)

    assert champion.purchases == pytest.approx(PURCHASES * 9 / 10 / 4, rel=0.15)
    assert champion.observed_to_expected.low < 1.0 < champion.observed_to_expected.high


def test_purchases_that_were_declined_do_not_make_a_good_model_look_bad() -> None:
    """Only the safe half has outcomes, so less of the ranking is left; the model's own probabilities say how much."""
    dice = np.random.default_rng(3)
    probability = dice.beta(1.0, 9.0, 40_000)
    defaulted = (dice.random(probability.size) < probability).astype(np.uint8)
    customer = np.arange(probability.size, dtype=np.int32)
    promised = figures_of(probability, defaulted, customer, resamples=0)[5].value
    approved = probability < 0.07

    figures = figures_of(probability[approved], defaulted[approved], customer[approved], resamples=50)
    performance = Performance("behavioural", 3, False, (FIRST, FIRST), *figures)

    assert performance.roc_auc.value < promised - 0.03
    assert degradation(performance, promised, BOUNDS) == ()
    assert degradation(performance, promised, Bounds(least_defaults=10**6)) == ()


def performance(ratio: Interval, auc: Interval, expected: float = 0.8, defaults: int = 500) -> Performance:
    return Performance(
        "behavioural", 3, False, (FIRST, FIRST), 5_000, defaults, ratio, 0.0, 1.0, auc, Interval(expected, 0.0, 1.0)
    )


@pytest.mark.parametrize(
    ("ratio", "auc", "findings"),
    [
        (Interval(1.3, 1.1, 1.5), Interval(0.75, 0.73, 0.77), 1),
        (Interval(1.3, 0.9, 1.7), Interval(0.75, 0.73, 0.77), 0),  # may be chance
        (Interval(1.2, 1.1, 1.3), Interval(0.75, 0.73, 0.77), 0),  # surely there, but small
        (Interval(0.7, 0.6, 0.8), Interval(0.75, 0.73, 0.77), 1),
        (Interval(1.0, 0.9, 1.1), Interval(0.70, 0.68, 0.72), 1),
        (Interval(1.0, 0.9, 1.1), Interval(0.70, 0.60, 0.80), 0),
        (Interval(1.3, 1.1, 1.5), Interval(0.70, 0.68, 0.72), 2),
    ],
)
def test_a_finding_takes_a_size_and_more_than_chance(ratio: Interval, auc: Interval, findings: int) -> None:
    assert len(degradation(performance(ratio, auc), 0.75, BOUNDS)) == findings
    assert degradation(performance(ratio, auc, defaults=99), 0.75, BOUNDS) == ()


def test_bigquery_measures_the_same(running_emulator: Emulator, tmp_path: Path) -> None:
    emulated = connect(
        "performance_test",
        project="test-project",
        api_endpoint=running_emulator.api_endpoint,
        storage_endpoint=running_emulator.storage_endpoint,
    )
    emulated.client.create_dataset("performance_test", exists_ok=True)
    tmp_path.joinpath("w").mkdir()
    embedded = DuckDBWarehouse(tmp_path / "w", threads=1)

    both = [found(fill(warehouse, purchases=300), most_rows=600) for warehouse in (embedded, emulated)]

    assert 0 < both[0][0].purchases < 270
    assert both[0] == both[1]
