"""From a log of predictions and purchases in a real warehouse to a report, and to the stop of a harmful arm."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bnpl_features.errors import RelationMissing
from bnpl_features.scoring.experiments.definition import Arm, Definitions, Experiment, Request, start
from bnpl_features.scoring.experiments.guardrails import Guardrails
from bnpl_features.scoring.experiments.reporting import enforce, report_on
from bnpl_features.scoring.experiments.shelf import FileShelf, change, read_definitions
from bnpl_features.scoring.prediction_table import predictions_table
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.load import SCHEMA
from tests.bnpl_features.scoring.checkout import PURCHASE, at
from tests.bnpl_features.scoring.test_predictions import record

FIRST, AS_OF, MATURITY_DAYS = date(2026, 3, 1), date(2026, 4, 20), 30
CUSTOMERS = 4_000


def begun() -> Definitions:
    arms = ((Arm("champion"), 0.5), (Arm("new", "behavioural", 2), 0.5))
    now = at("2026-03-01T00:00:00")
    return start(Definitions(), Request("trial", arms), salt="s", now=now, actor="tester", reason="test")


def filled(folder: Path, approved: dict[str, float], defaults: dict[str, float], days: int = 4) -> DuckDBWarehouse:
    """Each customer buys twice; an arm approves that share, and of those approved that share defaults."""
    folder.mkdir()
    warehouse = DuckDBWarehouse(folder, threads=1)
    dice = np.random.default_rng(5)
    predictions: dict[date, list[dict[str, object]]] = {}
    purchases = []
    for number in range(2 * CUSTOMERS):
        customer = number % CUSTOMERS
        arm = ("champion", "new")[customer % 2]
        day = FIRST + timedelta(days=number % days)
        moment = datetime(day.year, day.month, day.day, 10, tzinfo=UTC) + timedelta(microseconds=number)
        is_approved = dice.random() < approved[arm]
        will_default = is_approved and dice.random() < defaults[arm]
        made = record(
            number,
            day,
            transaction_id=f"t{number}",
            transaction_timestamp=moment,
            customer_digest=f"{customer:016x}",
            experiment="trial",
            arm=arm,
            decision="approve" if is_approved else "decline",
        )
        predictions.setdefault(day, []).extend([_row(made), _row(made)])  # the checkout asked twice
        purchases.append(
            PURCHASE
            | {
                "transaction_id": f"t{number}",
                "customer_id": f"c{customer}",
                "transaction_timestamp": moment,
                "status": "completed" if is_approved else "cancelled",
                "will_default": will_default,
                "days_to_first_missed_payment": 10 if will_default else None,
            }
        )
    rows = [{name: row.get(name) for name in SCHEMA.names} for row in purchases]
    warehouse.upsert_transactions(iter(pa.Table.from_pylist(rows, SCHEMA).to_batches()), {})
    schema = arrow_schema(predictions_table())
    for day, made_then in predictions.items():
        batch = pa.RecordBatch.from_pylist(made_then, schema)
        warehouse.replace_partition_rows(predictions_table(), day, iter([batch]), {})
    return warehouse


def _row(made: object) -> dict[str, object]:
    import msgspec

    return msgspec.structs.asdict(made)  # type: ignore[arg-type]


def reported(warehouse: DuckDBWarehouse, experiment: Experiment, as_of: date = AS_OF):  # type: ignore[no-untyped-def]
    return report_on(warehouse, "transactions", experiment, as_of=as_of, maturity_days=MATURITY_DAYS)


def test_report_gives_the_rates_that_were_planted_and_counts_a_repeated_request_once(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "w", {"champion": 0.9, "new": 0.8}, {"champion": 0.10, "new": 0.10})
    report = reported(warehouse, begun().named("trial"))

    arms = {arm.arm: arm for arm in report.arms}
    assert {name: arm.purchases for name, arm in arms.items()} == {"champion": CUSTOMERS, "new": CUSTOMERS}
    assert arms["champion"].approval_rate.low < 0.9 < arms["champion"].approval_rate.high
    assert arms["new"].default_rate.low < 0.1 < arms["new"].default_rate.high
    assert report.left_out == 0
    assert report.evidence < 1.0
    assert report.comparisons[0].approval.low < -0.1 < report.comparisons[0].approval.high


def test_outcomes_that_are_not_mature_do_not_count(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "w", {"champion": 0.9, "new": 0.9}, {"champion": 0.1, "new": 0.1})

    report = reported(warehouse, begun().named("trial"), as_of=FIRST + timedelta(days=MATURITY_DAYS - 1))

    assert [arm.matured for arm in report.arms] == [0, 0]
    assert all(np.isnan(arm.default_rate.value) for arm in report.arms)


def test_without_predictions_it_is_said_what_loads_them(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(RelationMissing, match="review_experiments"):
        reported(warehouse, begun().named("trial"))


def test_harmful_arm_is_stopped_and_the_definition_says_why(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "w", {"champion": 0.9, "new": 0.9}, {"champion": 0.05, "new": 0.20})
    shelf = FileShelf(tmp_path / "experiments.json")
    change(shelf, lambda _: begun(), act="start", actor="t", reason="r")
    experiment = read_definitions(shelf).named("trial")

    harm = enforce(shelf, experiment, reported(warehouse, experiment), Guardrails(0.02, -0.1))

    stopped = read_definitions(shelf)
    assert stopped.running is None
    assert "arm new has more defaults" in stopped.named("trial").stopped_because
    assert len(harm) == 1


def test_harmless_arm_goes_on(tmp_path: Path) -> None:
    warehouse = filled(tmp_path / "w", {"champion": 0.9, "new": 0.9}, {"champion": 0.10, "new": 0.10})
    shelf = FileShelf(tmp_path / "experiments.json")
    change(shelf, lambda _: begun(), act="start", actor="t", reason="r")
    experiment = read_definitions(shelf).named("trial")

    assert enforce(shelf, experiment, reported(warehouse, experiment), Guardrails()) == ()
    assert read_definitions(shelf).running


@pytest.mark.parametrize("lost", [0.3])
def test_arm_that_loses_customers_is_found_by_its_split(tmp_path: Path, lost: float) -> None:
    warehouse = filled(tmp_path / "w", {"champion": 0.9, "new": 0.9}, {"champion": 0.1, "new": 0.1})
    experiment = begun().named("trial")
    shares = {"champion": 0.5 - lost, "new": 0.5 + lost}
    skewed = start(
        Definitions(),
        Request("trial", ((Arm("champion"), shares["champion"]), (Arm("new", "behavioural", 2), shares["new"]))),
        salt="s",
        now=experiment.started_at,
        actor="t",
        reason="r",
    ).named("trial")

    assert reported(warehouse, skewed).evidence > 1_000.0
