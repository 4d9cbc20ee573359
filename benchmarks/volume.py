"""The slowest step of the daily job, as it is and worded otherwise: what its parts cost.

    python -m benchmarks.volume [customers]

A year of about ten purchases a customer is simulated into DuckDB. Variants are run in turn, three times each; CPU
seconds are of all cores, the least of three.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.population import simulated_warehouse
from benchmarks.table import print_table
from bnpl_features.derive.query import Query, group_query
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS

_ROUNDS = 3
_BITS = "COALESCE(BIT_COUNT(BIT_OR(1 << IF(days_ago < 30, days_ago, NULL))), 0)"
_SET = "COUNT(DISTINCT IF(days_ago < 30, days_ago, NULL))"


def main(customers: int = 1_000_000) -> None:
    day = datetime.now(UTC).date() - timedelta(days=1)
    volume = next(group for group in GROUPS if group.name == "volume")
    with tempfile.TemporaryDirectory() as folder:
        warehouse, _ = simulated_warehouse(Path(folder), customers, day)
        query = group_query(volume, day)
        variants = {
            "distinct days counted by a set": _with(query, _BITS, _SET),
            "distinct days as bits, as it is": query,
            "the same without the window function": _with(query, query.sql[slice(*_window(query.sql))], "TRUE"),
        }
        taken: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(_ROUNDS):
            for name, one in variants.items():
                started = time.process_time()
                warehouse.replace_partition(group_table(volume), day, one, {})
                taken[name].append(time.process_time() - started)
    rows = [(name, f"{min(seconds) / customers * 1e6:.1f}") for name, seconds in taken.items()]
    print_table(f"feature_volume of {customers:,} customers", ("", "CPU seconds a million customers"), rows)


def _with(query: Query, words: str, others: str) -> Query:
    assert words in query.sql
    return Query(query.sql.replace(words, others), query.parameters)


def _window(sql: str) -> tuple[int, int]:
    """Where the expression of `is_latest_limit` stands."""
    return sql.index("payment_credit_limit IS NOT NULL AND"), sql.index(" AS is_latest_limit")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
