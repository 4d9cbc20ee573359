"""The sample that `bnpl-features plan` computes with: bytes a row of every table, CPU seconds of every statement.

    python -m benchmarks.plan [customers] [--write]     # 1,000,000 customers; --write renews the sample that is shipped

A year of about ten purchases a customer is simulated into DuckDB, and the day's statements run there one after the
other; the CPU time is that of this process with all of DuckDB's threads.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.population import simulated_warehouse
from benchmarks.table import print_table
from bnpl_features.derive.query import Query
from bnpl_features.errors import RelationMissing
from bnpl_features.plan.daily import Job, daily_statements, tables
from bnpl_features.plan.sample import measure, sample_text
from bnpl_features.plan.statement import Api, Statement
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source

CUSTOMERS = 1_000_000
SAMPLE = Path(__file__).resolve().parents[1] / "bnpl_features" / "plan" / "sample.toml"


def main(customers: int = CUSTOMERS, *, write: bool = False) -> None:
    day = datetime.now(UTC).date() - timedelta(days=1)
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as folder:
        warehouse, _ = simulated_warehouse(Path(folder) / "warehouse", customers, day)
        job, known = Job(day), tables()
        seconds = {one.key: _cpu_seconds(warehouse, one, job) for one in daily_statements(job) if one.api is Api.QUERY}
        found = measure(warehouse, Source(), day, known, seconds)
    source = f"python -m benchmarks.plan {customers}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores"
    text = sample_text(found.__class__(source, found.customers, found.purchases_per_customer, found.tables, seconds))
    if write:
        SAMPLE.write_text(text)
    rows = sorted(((key, f"{spent:.2f}") for key, spent in seconds.items()), key=lambda row: -float(row[1]))
    print_table(f"CPU seconds of DuckDB, {found.customers:,} customers", ("statement", "CPU seconds"), rows[:20])
    print(f"all statements: {sum(seconds.values()):.0f} CPU seconds")


def _cpu_seconds(warehouse: DuckDBWarehouse, one: Statement, job: Job) -> float:
    """A table that is not there yet (the drift reference, findings) takes no time."""
    started = time.process_time()
    try:
        if one.writes:
            warehouse.replace_partition(tables()[one.writes], job.day, one.query, {})
        else:
            for _ in warehouse.read(Query(one.query.sql, one.query.parameters), {}):
                pass
    except RelationMissing:
        return 0.0
    return time.process_time() - started


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if not word.startswith("-")]
    main(*numbers, write="--write" in sys.argv)
