"""A simulated warehouse of a given size."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from bnpl_features.simulator import Population, simulate
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

DAYS = 365
PURCHASES_A_YEAR = 10.0


def simulated_warehouse(folder: Path, customers: int, last_day: date) -> tuple[DuckDBWarehouse, int]:
    """A year of about ten purchases a customer; returns the warehouse and the number of purchases."""
    folder.mkdir(parents=True, exist_ok=True)
    warehouse = DuckDBWarehouse(folder)
    population = Population(
        customers,
        last_day - timedelta(days=DAYS - 1),
        last_day,
        seed=1,
        purchases_per_year=PURCHASES_A_YEAR,
        joined_share=1.0,
    )
    return warehouse, warehouse.upsert_transactions(simulate(population), {})
