"""Measuring a sample: what rows of each table weigh, in any warehouse; and the file in which one is shipped."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files

import pyarrow as pa

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import Table, transactions_table, vectors_table
from bnpl_features.errors import InputError, RelationMissing
from bnpl_features.features.purchase import TIMESTAMP_COLUMN
from bnpl_features.plan.sizes import DAYS_A_YEAR, Sample, TableSample, sampled
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.volume import daily_volumes
from bnpl_features.warehouse.warehouse import Warehouse

SAMPLED_ROWS = 100_000
"""Of each table: its bytes a row are then known to a fraction of a percent."""

VOLUME_DAYS = 28
"""Of which purchases are counted, whole weeks."""

_SHIPPED = "sample.toml"
_LABELS = {"asset": "plan"}


def measure(
    warehouse: Warehouse, source: Source, day: date, tables: Mapping[str, Table], cpu_seconds: Mapping[str, float]
) -> Sample:
    """The day's partitions of every table; raises `InputError` where the day has no vectors."""
    purchases = daily_volumes(warehouse, source, day, VOLUME_DAYS - 1, _LABELS)
    a_day = sum(volume.purchases for volume in purchases.values()) / VOLUME_DAYS
    found = {name: _sampled(warehouse, source, table, day, a_day) for name, table in tables.items()}
    customers = int(found[vectors_table().name].rows)
    if not customers:
        raise InputError(f"{day} has no feature vectors in {warehouse.name}: name a day that the daily job has run for")
    return Sample(f"{warehouse.name}, {day}", customers, a_day * DAYS_A_YEAR / customers, found, cpu_seconds)


def shipped_sample() -> Sample:
    """That of `python -m benchmarks.plan`: the simulated population."""
    return parse_sample(files(__package__).joinpath(_SHIPPED).read_text(encoding="utf-8"))


def parse_sample(text: str) -> Sample:
    given = tomllib.loads(text)
    tables = {name: TableSample(one["rows"], one["bytes_a_row"]) for name, one in given["tables"].items()}
    return Sample(given["source"], given["customers"], given["purchases_per_customer"], tables, given["cpu_seconds"])


def sample_text(sample: Sample) -> str:
    """What `parse_sample` reads."""
    lines = [
        "# Written by `python -m benchmarks.plan`; see docs/bigquery-plan.md.",
        f'source = "{sample.source}"',
        f"customers = {sample.customers}",
        f"purchases_per_customer = {sample.purchases_per_customer:.4f}",
        "\n# Of DuckDB, by statement; 0 where it takes less than a hundredth.",
        "[cpu_seconds]",
        *(f'"{key}" = {seconds:.2f}' for key, seconds in sample.cpu_seconds.items()),
    ]
    for name, one in sample.tables.items():
        lines += [f"\n[tables.{name}]", f"rows = {one.rows:.0f}", f"[tables.{name}.bytes_a_row]"]
        lines += [f"{column} = {size:.4f}" for column, size in one.bytes_a_row.items()]
    return "\n".join(lines) + "\n"


def _sampled(warehouse: Warehouse, source: Source, table: Table, day: date, purchases_a_day: float) -> TableSample:
    """A table that is not there yet has no rows, and costs nothing."""
    columns = tuple(column.name for column in table.columns if column.name != table.partition_column)
    if table.name == transactions_table().name:
        return sampled(table, _purchases(warehouse, source, table, day), purchases_a_day)
    try:
        count = next(warehouse.read(_rows_of(table, day), _LABELS)).to_pylist()[0]["row_count"]
        few = _first(warehouse.read_partition(table, day, columns, _LABELS)) if count else iter(())
        found = sampled(table, few, count)
    except RelationMissing:
        found = sampled(table, (), 0)
    absent = {name: 0.0 for name in columns if name not in found.bytes_a_row}
    return TableSample(found.rows, {**found.bytes_a_row, **absent})


def _rows_of(table: Table, day: date) -> Query:
    sql = f"SELECT COUNT(*) AS row_count FROM {table.name} WHERE {table.partition_column} = @partition_date"
    return Query(sql, {"partition_date": day})


def _purchases(warehouse: Warehouse, source: Source, table: Table, day: date) -> Iterator[pa.RecordBatch]:
    relation = source.checkout_sql(warehouse.columns(source.relation))
    columns = ", ".join(column.name for column in table.columns if column.name != TIMESTAMP_COLUMN)
    query = Query(
        f"SELECT {columns}\nFROM {relation}\nWHERE {TIMESTAMP_COLUMN} >= TIMESTAMP(@day)\n"
        f"  AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@day, INTERVAL 1 DAY))\nLIMIT {SAMPLED_ROWS}",
        {"day": day},
    )
    return warehouse.read(query, _LABELS)


def _first(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    seen = 0
    for batch in batches:
        yield batch.slice(0, SAMPLED_ROWS - seen)
        seen += batch.num_rows
        if seen >= SAMPLED_ROWS:
            return
