"""The lender's purchases: made elsewhere, observed here."""

import dagster as dg

from assets.failures import library_errors
from assets.partitions import DAILY, days_of, labels
from bnpl_features.derive.table import transactions_table
from bnpl_features.warehouse.volume import daily_volumes
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

TRANSACTIONS = dg.AssetKey("transactions")


@dg.observable_source_asset(
    key=TRANSACTIONS,
    partitions_def=DAILY,
    group_name="source",
    description="One row per BNPL purchase, day-partitioned; the lender's own table, mapped by settings.",
    metadata={
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(c.name, c.type, c.description) for c in transactions_table().columns]
        )
    },
    tags={"dagster/kind/bigquery": "", "dagster/kind/table": ""},
)
def transactions(
    context: dg.OpExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.DataVersionsByPartition:
    """Counts the day's purchases; the count and the newest timestamp are the version of the data."""
    versions = {}
    source = settings.load().source
    with library_errors(), warehouse.open() as engine:
        for day in days_of(context):
            volume = daily_volumes(engine, source, day, 0, labels(context, "transactions", day))[day]
            versions[day.isoformat()] = f"{volume.purchases} until {volume.latest}"
            context.log.info("%s purchases on %s, the newest at %s", f"{volume.purchases:,}", day, volume.latest)
    return dg.DataVersionsByPartition(versions)
