"""A small lender with outcomes: simulated purchases, the features of every day, a training set, both models.

Making one costs seconds, so there is one a run of the tests, to read; risky customers are many, so that few purchases
suffice.
"""

from __future__ import annotations

import pickle
import shutil
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from bnpl_features.derive.query import group_query, vectors_query
from bnpl_features.derive.table import group_table, vectors_table
from bnpl_features.features.catalog import ALL_FEATURES, GROUPS
from bnpl_features.risk_model.assembly import assemble
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.training import MODEL_NAMES, train
from bnpl_features.risk_model.training_query import TrainingSpec
from bnpl_features.risk_model.training_set import TrainingSet, read_training_set
from bnpl_features.simulator import Population, simulate
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.warehouse import Warehouse
from tests.once import made_once

AS_OF = date(2026, 3, 10)
MATURITY_DAYS, TRAINING_DAYS = 30, 16
SPEC = TrainingSpec(AS_OF, days=TRAINING_DAYS, maturity_days=MATURITY_DAYS)
POPULATION = Population(
    1_500, AS_OF - timedelta(days=100), AS_OF, seed=4, purchases_per_year=90.0, joined_share=0.9, default_hazard=3.0
)

_MODELS = "models"


@dataclass(frozen=True)
class Lender:
    folder: Path
    training: TrainingSet
    models: dict[str, Model]

    def copied_to(self, folder: Path) -> Lender:
        """The same for a test that writes."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.folder / "warehouse", threads=1)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that configure it, models in a folder to be given."""
        return {
            "BNPL_WAREHOUSE_FOLDER": str(self.folder / "warehouse"),
            "BNPL_MODEL_MATURITY_DAYS": str(MATURITY_DAYS),
            "BNPL_MODEL_TRAINING_DAYS": str(TRAINING_DAYS),
            "BNPL_MODEL_THREADS": "1",
            "BNPL_MODEL_RESAMPLES": "20",
        }


@pytest.fixture(scope="session")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Lender:
    folder = made_once(tmp_path_factory, "lender", make_lender)
    [assembled] = (folder / "sets").iterdir()
    return Lender(folder, read_training_set(assembled), pickle.loads((folder / _MODELS).read_bytes()))


def make_lender(folder: Path) -> None:
    (folder / "warehouse").mkdir()
    warehouse = DuckDBWarehouse(folder / "warehouse", threads=1)
    warehouse.upsert_transactions(simulate(POPULATION), {})
    for day in SPEC.partitions:
        compute_features(warehouse, day)
    training = read_training_set(assemble(warehouse, Source(), SPEC, folder / "sets"))
    models = {name: train(name, training) for name in MODEL_NAMES}
    (folder / _MODELS).write_bytes(pickle.dumps(models))


def compute_features(warehouse: Warehouse, day: date) -> None:
    for group in GROUPS:
        warehouse.replace_partition(group_table(group), day, group_query(group, day), {})
    warehouse.replace_partition(vectors_table(), day, vectors_query(ALL_FEATURES, day), {})
