"""A group's partitions of a run, each beside the days before it: what three kinds of check look at."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from assets.failures import library_errors
from assets.partitions import days_of, labels
from bnpl_features.drift.comparison import Comparison, compare
from bnpl_features.features.feature import FeatureGroup
from resources.warehouse import WarehouseResource


def comparisons(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, group: FeatureGroup, reference_days: int
) -> Iterator[tuple[date, Comparison]]:
    with library_errors(), warehouse.open() as engine:
        for day in days_of(context):
            yield day, compare(engine, group, day, reference_days, labels(context, group.table, day))
