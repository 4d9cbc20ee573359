"""The service's log of predictions as a table: one partition a day, whatever the service wrote of it."""

from pathlib import Path

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL
from assets.metadata import fingerprint, table_schema
from assets.partitions import DAILY, days_of, labels
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import PREDICTIONS as PROFILED
from bnpl_features.scoring.prediction_table import Segments, predictions_table
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

EXPERIMENTS_GROUP = "experiments"
PREDICTIONS = dg.AssetKey("predictions")
OWNERS = ["team:risk-features"]


@dg.asset(
    key=PREDICTIONS,
    description="One row a prediction: what was decided, by which model and arm, on which features.",
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name=EXPERIMENTS_GROUP,
    owners=OWNERS,
    kinds={"bigquery", "table"},
    code_version=fingerprint(" ".join(column.name for column in predictions_table().columns)),
    metadata={"dagster/column_schema": table_schema(predictions_table())},
    pool=WAREHOUSE_POOL,
)
def predictions(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult:
    """A rerun replaces the day; lines that a killed process left unfinished are counted."""
    folder = Path(settings.load().scoring.predictions_folder)
    rows, torn, files = 0, 0, 0
    with library_errors(), warehouse.open() as engine:
        for day in days_of(context):
            segments = Segments(folder, day)
            asked_by = labels(context, PREDICTIONS.to_user_string(), day)
            written = engine.replace_partition_rows(predictions_table(), day, segments.batches(), asked_by)
            engine.replace_partition(profiles_table(PROFILED), day, profile_query(PROFILED, day), asked_by)
            rows, torn, files = rows + written.rows, torn + segments.torn, files + len(segments.files)
    return dg.MaterializeResult(
        metadata={"dagster/partition_row_count": rows, "segments": files, "torn_lines": torn, "folder": str(folder)}
    )
