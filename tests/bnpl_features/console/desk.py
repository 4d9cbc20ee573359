"""What an operator has before them: a lender's profiled days, two published versions, models, an experiment, scores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.drift.examination import Rules, all_findings, examine_day
from bnpl_features.drift.findings_table import write_findings
from bnpl_features.drift.subjects import GROUP_SUBJECTS, SEGMENTS
from bnpl_features.features.catalog import SEGMENTED
from bnpl_features.risk_model.evaluation import evaluate
from bnpl_features.risk_model.registry import CHAMPION, Registry, open_registry, register
from bnpl_features.scoring.experiments import definition
from bnpl_features.scoring.experiments.definition import Arm, Request
from bnpl_features.scoring.experiments.shelf import Shelf, StoreShelf, change
from bnpl_features.scoring.prediction_table import predictions_table
from bnpl_features.scoring.predictions import Record
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.warehouse.arrow_types import arrow_schema
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.store.shop import SECRET, Shop, new_shop
from tests.lender import SPEC, Lender

DAYS = SPEC.partitions[-4:]
NEWEST = DAYS[-1]
FEATURE_SET = SEGMENTED
EXPERIMENT = "autumn"
BEGUN = SPEC.first_day
RULES = Rules(reference_days=3)
REASONS = "R01 R13"
KEY = CustomerKey(SECRET)


@dataclass(frozen=True)
class Desk:
    """Where everything is; `known` is a customer of both versions, with scores."""

    folder: Path
    shop: Shop
    known: str

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.folder / "warehouse", threads=1)

    @property
    def registry(self) -> Registry:
        return open_registry("", self.folder / "models")

    @property
    def shelf(self) -> Shelf:
        return StoreShelf(self.shop.client, self.shop.keyspace)

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that configure it."""
        return {
            "REDIS_URL": self.shop.url,
            "BNPL_NAMESPACE": self.shop.namespace,
            "BNPL_CUSTOMER_KEY": SECRET.decode(),
            "BNPL_WAREHOUSE_FOLDER": str(self.folder / "warehouse"),
            "BNPL_MODEL_FOLDER": str(self.folder / "models"),
            "BNPL_MODEL_THREADS": "1",
            "BNPL_MODEL_RESAMPLES": "20",
            "BNPL_MODEL_MATURITY_DAYS": str(SPEC.maturity_days),
            "BNPL_SCORING_PREDICTIONS_FOLDER": str(self.predictions),
            "BNPL_REFERENCE_DAYS": str(RULES.reference_days),
        }


@pytest.fixture(scope="session")
def desk(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One for all tests that only look; whoever changes something does so to customers and experiments of its own."""
    with embedded_store(tmp_path_factory.mktemp("store")) as url:
        yield new_desk(lender, new_shop(url), tmp_path_factory.mktemp("desk"))


def new_desk(lender: Lender, shop: Shop, folder: Path, *, profiled: bool = True) -> Desk:
    """Profiles of days and their findings only where they are looked at: they take longest."""
    shutil.copytree(lender.folder / "warehouse", folder / "warehouse")
    shutil.copytree(lender.folder / "sets", folder / "models" / "training-sets")
    warehouse = DuckDBWarehouse(folder / "warehouse", threads=1)
    for day in DAYS if profiled else ():
        for subject in (*GROUP_SUBJECTS, SEGMENTS):
            warehouse.replace_partition(profiles_table(subject), day, profile_query(subject, day), {})
    for day in DAYS[1:] if profiled else ():
        examined = examine_day(warehouse, day, RULES, {}, (*GROUP_SUBJECTS, SEGMENTS))
        write_findings(warehouse, day, all_findings(examined), {})
    for day in DAYS[-2:]:
        _publish(warehouse, shop, day)
    desk = Desk(folder, shop, _bought_most(warehouse))
    _train(desk, lender)
    _experiment(desk)
    return desk


def _publish(warehouse: DuckDBWarehouse, shop: Shop, day: date) -> None:
    layout = layout_of(FEATURE_SET)
    columns = ", ".join((CUSTOMER_COLUMN, *layout.names))
    query = Query(f"SELECT {columns} FROM feature_vectors WHERE partition_date = @day", {"day": day})
    rows = list(warehouse.read(query, {}))
    publish(
        shop.target.of(FEATURE_SET.name),
        layout,
        customer_batches(rows, layout),
        partition=day,
        customers=sum(batch.num_rows for batch in rows),
        provenance=Provenance("run-1", actor="tester"),
    )


def _bought_most(warehouse: DuckDBWarehouse) -> str:
    query = Query(
        "SELECT customer_id FROM feature_vectors WHERE partition_date = @day\n"
        "ORDER BY txn_count_30d DESC, customer_id LIMIT 1",
        {"day": NEWEST},
    )
    (row,) = (row for batch in warehouse.read(query, {}) for row in batch.to_pylist())
    return str(row["customer_id"])


def _train(desk: Desk, lender: Lender) -> None:
    """Two versions of each model, all the same; the first behavioural one is the champion."""
    models, registry = list(lender.models.values()), desk.registry
    evaluation = evaluate(models, lender.training, resamples=10)
    for model in models:
        register(registry, model, evaluation, actor="tester")
    register(registry, lender.models["behavioural"], evaluation, actor="tester")
    registry.client.set_registered_model_alias(registry.registered_name("behavioural"), CHAMPION, "1")


def _experiment(desk: Desk) -> None:
    """An experiment whose purchases are mature, and three scores of today of the known customer."""
    arms = ((Arm("champion"), 0.5), (Arm("new", "behavioural", 2), 0.4))
    request = Request(EXPERIMENT, arms, (Arm("silent", "velocity", 1),))
    began = datetime.combine(BEGUN, datetime.min.time(), UTC).timestamp()
    change(
        desk.shelf,
        lambda found: definition.start(found, request, salt="s", now=began, actor="tester", reason="try version 2"),
        act=f"start experiment {EXPERIMENT}",
        actor="tester",
        reason="try version 2",
    )
    days: dict[date, list[dict[str, Any]]] = {}
    dice = np.random.default_rng(3)
    for row in _purchases(desk.warehouse):
        arm = ("champion", "new")[int.from_bytes(KEY.digest(row["customer_id"])) % 2]
        made = record(row["customer_id"], row["transaction_timestamp"], arm, float(dice.beta(1, 12)))
        made = msgspec.structs.replace(made, transaction_id=row["transaction_id"])
        days.setdefault(made.predicted_at.date(), []).append(msgspec.structs.asdict(made))
    now = datetime.now(UTC)
    for number in range(3):
        one = record(desk.known, now - timedelta(minutes=number), "champion", 0.05 + number / 10)
        days.setdefault(one.predicted_at.date(), []).append(msgspec.structs.asdict(one))
    for day, rows in days.items():
        batch = pa.RecordBatch.from_pylist(rows, arrow_schema(predictions_table()))
        desk.warehouse.replace_partition_rows(predictions_table(), day, iter([batch]), {})


def _purchases(warehouse: DuckDBWarehouse) -> list[dict[str, Any]]:
    query = Query(
        "SELECT transaction_id, customer_id, transaction_timestamp FROM transactions\n"
        "WHERE status = 'completed' AND transaction_timestamp >= TIMESTAMP(@first)\n"
        "  AND transaction_timestamp < TIMESTAMP(@last)\nORDER BY transaction_timestamp, transaction_id",
        {"first": BEGUN, "last": BEGUN + timedelta(days=8)},
    )
    return [row for batch in warehouse.read(query, {}) for row in batch.to_pylist()]


def record(customer_id: str, at: datetime, arm: str, probability: float) -> Record:
    decision = "approve" if probability < 0.1 else "review" if probability < 0.2 else "decline"
    return Record(
        predicted_at=at,
        request_id=f"r-{at.timestamp():.6f}",
        transaction_id="t",
        transaction_timestamp=at,
        customer_digest=KEY.digest(customer_id).hex(),
        experiment=EXPERIMENT,
        arm=arm,
        is_shadow=False,
        model="behavioural",
        model_version=2 if arm == "new" else 1,
        probability=probability,
        decision=decision,
        reasons="" if decision == "approve" else REASONS,
        feature_status="fresh",
        feature_version=1,
        feature_partition=at.date(),
        fallback=None,
    )
