"""Days, as Dagster partitions."""

from collections.abc import Mapping
from datetime import date

import dagster as dg

DAILY = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone="UTC")
"""Partition D exists from the end of D on; earlier days need an earlier start here."""

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


def days_of(context: Context) -> list[date]:
    """The days of the run: one, or those of a range."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def labels(context: Context, asset: str, day: date) -> Mapping[str, str]:
    """What the warehouse's own job records say of who asked."""
    return {"asset": asset, "partition": day.isoformat(), "run": context.run.run_id}
