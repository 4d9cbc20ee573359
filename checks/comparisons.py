"""A group's partitions of a run, each beside the days before it: what two kinds of check look at."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from assets.failures import library_errors
from assets.partitions import days_of, labels
from bnpl_features.derive.profiled import group_subject
from bnpl_features.drift.comparison import Comparison, compare
from bnpl_features.features.feature import FeatureGroup
from resources.warehouse import WarehouseResource


def comparisons(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, group: FeatureGroup, reference_days: int
) -> Iterator[tuple[date, Comparison]]:
    with library_errors(), warehouse.open() as engine:
        for day in days_of(context):
            asked_by = labels(context, group.table, day)
            yield day, compare(engine, group_subject(group), day, reference_days, asked_by)[0]
