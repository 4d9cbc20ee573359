"""Fixtures with real parts: a warehouse folder, a BigQuery emulator, a lender with outcomes."""

from __future__ import annotations

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
