"""The five feature groups over 1M customers and about 10M purchases, in DuckDB.

    python -m benchmarks.groups [customers]

The limit beside it: DuckDB reading every column that the groups use, once, and adding it up.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmarks.population import simulated_warehouse
from benchmarks.table import print_table
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import Subject, group_subject, vectors_subject
from bnpl_features.derive.query import Query, group_query, vectors_query
from bnpl_features.derive.table import group_table, vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS
from bnpl_features.warehouse.duckdb import DuckDBWarehouse

LAST_DAY = date(2026, 6, 30)
TARGET_SECONDS = 25.0

_SCAN = Query(
    "SELECT COUNT(*), SUM(LENGTH(customer_id)), SUM(LENGTH(device_id)), SUM(amount), SUM(risk_score), "
    "MAX(transaction_timestamp), MAX(product_category), MAX(device_type), SUM(payment_credit_limit) FROM transactions"
)


def main(customers: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        warehouse, purchases = simulated_warehouse(Path(folder), customers, LAST_DAY)
        started = time.perf_counter()
        list(warehouse.read(_SCAN, {}))
        rows = [("one scan of all inputs (limit)", time.perf_counter() - started)]
        for group in GROUPS:
            written = warehouse.replace_partition(group_table(group), LAST_DAY, group_query(group, LAST_DAY), {})
            rows.append((group.name, written.seconds))
        total = sum(seconds for _, seconds in rows[1:])
        profiles = sum(profiled(warehouse, group_subject(group)) for group in GROUPS)
        vectors = warehouse.replace_partition(
            vectors_table(BEHAVIOURAL), LAST_DAY, vectors_query(BEHAVIOURAL, LAST_DAY), {}
        )
        by_segment = profiled(warehouse, vectors_subject(BEHAVIOURAL))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print_table(
        f"Feature groups, {customers:,} customers, {purchases:,} purchases ({vectors.rows:,} rows each)",
        ("step", "seconds"),
        [(name, f"{seconds:.1f}") for name, seconds in rows]
        + [
            ("five groups", f"{total:.1f} (target under {TARGET_SECONDS:.0f})"),
            ("their profiles", f"{profiles:.1f}"),
            ("vectors joined", f"{vectors.seconds:.1f}"),
            ("their profile by segment", f"{by_segment:.1f}"),
        ]
        + [("peak memory, GiB", f"{peak:.1f}")],
    )


def profiled(warehouse: DuckDBWarehouse, subject: Subject) -> float:
    """Seconds that the profile of the day took."""
    return warehouse.replace_partition(profiles_table(subject), LAST_DAY, profile_query(subject, LAST_DAY), {}).seconds


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
