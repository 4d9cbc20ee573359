"""Fixtures with real parts: a warehouse folder, a BigQuery emulator, a lender with outcomes."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.console.desk import desk
from tests.edge_cases import edge_case_transactions
from tests.emulator import Emulator, emulator_venv, is_installed, start_emulator
from tests.lender import lender

__all__ = ["desk", "lender"]

LONGEST_FIRST = (
    "deploy/test_live.py",
    "bnpl_features/cli/test_pipeline.py",
    "assets/test_publication.py",
    "test_bigquery_job.py",
    "automation/test_launch.py",
    "test_definitions.py",
    "bnpl_features/warehouse/test_bigquery.py",
    "assets/test_gate.py",
    "bnpl_features/scoring/test_server.py",
)
"""Files that take long begin first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    rank = {here / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_collection_finish() -> None:
    """What the modules hold stays until the end: the garbage collector need not go through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()


@pytest.fixture(scope="session")
def edge_case_warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """A warehouse that holds the edge cases; share it for reading only."""
    return filled_warehouse(tmp_path_factory.mktemp("warehouse"))


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """A warehouse of the test's own that holds the edge cases."""
    return filled_warehouse(tmp_path / "warehouse")


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[Emulator]:
    """A BigQuery emulator; skips on a laptop without one, fails in CI."""
    if not is_installed():
        missing = f"no BigQuery emulator in {emulator_venv()}; run `make .venv-emulator/ready`"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with start_emulator() as running:
        yield running


def filled_warehouse(folder: Path) -> DuckDBWarehouse:
    folder.mkdir(exist_ok=True)
    filled = DuckDBWarehouse(folder)
    filled.upsert_transactions(iter(edge_case_transactions().to_batches()), {})
    return filled
