"""How many purchases arrived on a day, and on the days before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from bnpl_features.derive.query import Query
from bnpl_features.features.purchase import PURCHASE_COLUMNS, TIMESTAMP_COLUMN
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.warehouse import Labels, Warehouse


@dataclass(frozen=True)
class DailyVolume:
    """Purchases of one day, whatever their status; `latest` is None on an empty day."""

    purchases: int
    latest: datetime | None


def daily_volumes(
    warehouse: Warehouse, source: Source, partition: date, days_before: int, labels: Labels
) -> dict[date, DailyVolume]:
    """The volume of the partition and of each of the days before it that has purchases."""
    own_name = next(source.own_name(c) for c in PURCHASE_COLUMNS if c.name == TIMESTAMP_COLUMN)
    timestamp = f"`{own_name}`"  # a name of the user's may be a keyword
    query = Query(
        f"SELECT DATE({timestamp}) AS day, COUNT(*) AS purchases, MAX({timestamp}) AS latest\n"
        f"FROM `{source.relation}`\n"
        f"WHERE {timestamp} >= TIMESTAMP(DATE_SUB(@partition_date, INTERVAL @days_before DAY))\n"
        f"  AND {timestamp} < TIMESTAMP(DATE_ADD(@partition_date, INTERVAL 1 DAY))\n"
        f"GROUP BY DATE({timestamp})",  # not by the name: a table of the user's may have a column `day`
        {"partition_date": partition, "days_before": days_before},
    )
    volumes = {partition: DailyVolume(0, None)}
    for batch in warehouse.read(query, labels):
        for row in batch.to_pylist():
            volumes[row["day"]] = DailyVolume(row["purchases"], row["latest"])
    return volumes
