"""Feature vectors of a simulated population with what became of the purchases after them: rows to train and test on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bnpl_features.derive.layout import Layout
from bnpl_features.derive.query import Query, group_query, vectors_query
from bnpl_features.derive.table import group_table, vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.simulator import Population, simulate
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

FIRST_DAY = date(2025, 1, 1)
PARTITIONS = (date(2025, 12, 31), date(2026, 1, 31), date(2026, 3, 2))
OUTCOME_DAYS = 30
"""A row's label looks at the purchases of this many days after its partition."""

_OUTCOMES = """
SELECT customer_id, MAX(CAST(will_default AS INT64)) AS missed
FROM transactions
WHERE status = 'completed'
  AND DATE(transaction_timestamp) BETWEEN DATE_ADD(@day, INTERVAL 1 DAY) AND DATE_ADD(@day, INTERVAL @days DAY)
GROUP BY customer_id
"""


@dataclass(frozen=True)
class Partition:
    """All customers of a partition: vectors (customers, features) with NaN for null, and labels.

    A label looks at the purchases of the next 30 days: 1.0 where one later misses a payment, 0.0 where none does, NaN
    where there is none.
    """

    customer_ids: list[str]
    vectors: NDArray[np.float64]
    labels: NDArray[np.float64]


def labelled_partitions(folder: Path, customers: int, layout: Layout) -> list[Partition]:
    """The partitions of one population, computed by the warehouse's own statements on one core."""
    warehouse = DuckDBWarehouse(folder, threads=1)
    last_day = PARTITIONS[-1] + timedelta(days=OUTCOME_DAYS)
    warehouse.upsert_transactions(simulate(Population(customers, FIRST_DAY, last_day, seed=1)), {})
    return [computed_partition(warehouse, day, layout) for day in PARTITIONS]


def computed_partition(warehouse: DuckDBWarehouse, day: date, layout: Layout) -> Partition:
    for group in BEHAVIOURAL.groups:
        warehouse.replace_partition(group_table(group), day, group_query(group, day), {})
    table = vectors_table(BEHAVIOURAL)
    warehouse.replace_partition(table, day, vectors_query(BEHAVIOURAL, day), {})
    columns = ("customer_id", *layout.names)
    batches = list(customer_batches(warehouse.read_partition(table, day, columns, {}), layout))
    identifiers = [customer for batch in batches for customer in batch.customer_ids]
    vectors = np.vstack([np.column_stack([batch.columns[name] for name in layout.names]) for batch in batches])
    missed = _outcomes(warehouse.read(Query(_OUTCOMES, {"day": day, "days": OUTCOME_DAYS}), {}))
    return Partition(identifiers, vectors, np.array([missed.get(one, np.nan) for one in identifiers]))


def _outcomes(batches: Iterator[pa.RecordBatch]) -> dict[str, float]:
    found: dict[str, float] = {}
    for batch in batches:
        found |= dict(zip(batch.column("customer_id").to_pylist(), batch.column("missed").to_pylist(), strict=True))
    return found
