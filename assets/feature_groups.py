"""The feature groups: one daily-partitioned asset each, made from the catalogue."""

from datetime import date

import dagster as dg

from assets.failures import library_errors
from assets.metadata import fingerprint, segments_table, table_schema, written_metadata
from assets.partitions import DAILY, days_of, labels
from assets.transactions import TRANSACTIONS
from bnpl_features.derive.lineage import features_read, inputs_of
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import group_subject
from bnpl_features.derive.query import group_query
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.features.segment import SEGMENT_GROUP, SEGMENTS
from bnpl_features.warehouse.backfill import compute as compute_range
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

WAREHOUSE_POOL = "warehouse"
TRANSACTIONS_PROFILE = dg.AssetKey("transactions_profile")
OWNERS = ["team:risk-features"]
_ANY_DAY = date(2024, 1, 1)


def group_key(group: FeatureGroup) -> dg.AssetKey:
    return dg.AssetKey(group.table)


def group_asset(group: FeatureGroup) -> dg.AssetsDefinition:
    table, subject = group_table(group), group_subject(group)

    @dg.asset(
        key=group_key(group),
        description=group.meaning,
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[group_key(one) for one in group.of] or [TRANSACTIONS, TRANSACTIONS_PROFILE],
        group_name="features",
        owners=[group.owner],
        kinds={"bigquery", "sql"},
        code_version=fingerprint(group_query(group, _ANY_DAY).sql),
        metadata={
            "dagster/column_schema": table_schema(table),
            "dagster/column_lineage": _lineage(group),
            "look_back_days": group.look_back.days,
            **({"segments": dg.MetadataValue.md(segments_table(SEGMENTS))} if group is SEGMENT_GROUP else {}),
        },
        pool=WAREHOUSE_POOL,
    )
    def compute(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
    ) -> dg.MaterializeResult:
        source, days = settings.load().source, days_of(context)
        asked_by = labels(context, group.table, days[0])
        with library_errors(), warehouse.open() as engine:
            if len(days) > 1:
                for part in compute_range(engine, source, group, days, asked_by):
                    for day, written in part.items():
                        context.add_asset_metadata(written_metadata(written), partition_key=day.isoformat())
                return dg.MaterializeResult()
            [day] = days
            query = group_query(group, day, source.sql())
            estimate = engine.estimate_bytes(query)
            written = engine.replace_partition(table, day, query, asked_by)
            engine.replace_partition(profiles_table(subject), day, profile_query(subject, day), asked_by)
            context.add_asset_metadata(written_metadata(written, estimate), partition_key=day.isoformat())
        return dg.MaterializeResult()

    return compute


def _lineage(group: FeatureGroup) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            feature.name: [dg.TableColumnDep(group_key(one), read.name) for one, read in features_read(feature, group)]
            if group.of
            else [dg.TableColumnDep(TRANSACTIONS, column) for column in inputs_of(feature, group)]
            for feature in group.features
        }
    )


group_assets = [group_asset(group) for group in GROUPS]
