"""All features of a customer side by side: what every set is published from."""

from datetime import date
from functools import partial

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL, group_key
from assets.metadata import fingerprint, table_schema, written_metadata
from assets.partitions import DAILY, days_of, labels
from bnpl_features.derive.partition import size_query
from bnpl_features.derive.profile import profile_query, profile_range_query, profiles_table
from bnpl_features.derive.profiled import segments_subject, vectors_subject
from bnpl_features.derive.query import vectors_query
from bnpl_features.derive.range_query import vectors_range_query
from bnpl_features.derive.table import group_table, vectors_table
from bnpl_features.features.catalog import ALL_FEATURES
from bnpl_features.warehouse.backfill import parts_of
from bnpl_features.warehouse.warehouse import Labels, Warehouse
from resources.warehouse import WarehouseResource

VECTORS = dg.AssetKey("feature_vectors")
VECTORS_TABLE = vectors_table()
SUBJECTS = (vectors_subject(ALL_FEATURES), segments_subject(ALL_FEATURES))


@dg.asset(
    key=VECTORS,
    description=VECTORS_TABLE.description,
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[group_key(group) for group in ALL_FEATURES.groups],
    group_name="features",
    owners=["team:risk-features"],
    kinds={"bigquery", "sql"},
    code_version=fingerprint(vectors_query(ALL_FEATURES, date(2024, 1, 1)).sql),
    metadata={
        "dagster/column_schema": table_schema(VECTORS_TABLE),
        "dagster/column_lineage": dg.TableColumnLineage(
            {
                feature.name: [dg.TableColumnDep(group_key(group), feature.name)]
                for group in ALL_FEATURES.groups
                for feature in group.features
            }
        ),
    },
    pool=WAREHOUSE_POOL,
)
def feature_vectors(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> dg.MaterializeResult:
    with library_errors(), warehouse.open() as engine:
        days = days_of(context)
        asked_by = labels(context, VECTORS_TABLE.name, days[-1])
        for part in parts_of(engine, days, partial(_customers, engine, days[-1], asked_by)):
            asked_by = labels(context, VECTORS_TABLE.name, part[0])
            first, last = part[0], part[-1]
            if len(part) > 1:
                query = vectors_range_query(ALL_FEATURES, first, last)
                found = engine.replace_partitions(VECTORS_TABLE, part, query, asked_by)
                for one in SUBJECTS:
                    profiles = profile_range_query(one, first, last)
                    engine.replace_partitions(profiles_table(one), part, profiles, asked_by)
            else:
                query = vectors_query(ALL_FEATURES, first)
                found = {first: engine.replace_partition(VECTORS_TABLE, first, query, asked_by)}
                for one in SUBJECTS:
                    engine.replace_partition(profiles_table(one), first, profile_query(one, first), asked_by)
            for day, written in found.items():
                context.add_asset_metadata(written_metadata(written), partition_key=day.isoformat())
    return dg.MaterializeResult()


def _customers(engine: Warehouse, day: date, asked_by: Labels) -> int:
    """As many as vectors will have rows."""
    query = size_query(group_table(ALL_FEATURES.groups[0]), day)
    return int(next(engine.read(query, asked_by)).to_pylist()[0]["row_count"])
