"""Fixtures with real parts: a warehouse folder, an embedded Valkey server."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.edge_cases import edge_case_transactions


@pytest.fixture(scope="session")
def edge_case_warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """A warehouse that holds the edge cases; share it for reading only."""
    return filled_warehouse(tmp_path_factory.mktemp("warehouse"))


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """A warehouse of the test's own that holds the edge cases."""
    return filled_warehouse(tmp_path / "warehouse")


def filled_warehouse(folder: Path) -> DuckDBWarehouse:
    folder.mkdir(exist_ok=True)
    filled = DuckDBWarehouse(folder)
    filled.upsert_transactions(iter(edge_case_transactions().to_batches()), {})
    return filled
