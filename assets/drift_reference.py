"""The loop closed: what the champion was trained on becomes what the days to come are compared with."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL, group_key
from assets.metadata import fingerprint
from assets.retraining import RETRAINING_GROUP, TRIED
from assets.training import OWNERS
from bnpl_features.connect.models import champion_training
from bnpl_features.drift.references import references_table, set_reference
from bnpl_features.features.catalog import GROUPS
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

REFERENCE = dg.AssetKey("drift_reference")
MODEL_METADATA = "model"
"""Metadata of a materialisation: the champion whose training data it holds."""


@dg.asset(
    key=REFERENCE,
    description="Profiles of the days that the champion was trained on: the reference that drift is measured against.",
    deps=[group_key(group) for group in GROUPS],
    group_name=RETRAINING_GROUP,
    owners=OWNERS,
    kinds={"bigquery", "table"},
    code_version=fingerprint(" ".join(column.name for column in references_table().columns)),
    pool=WAREHOUSE_POOL,
)
def drift_reference(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult:
    """In force from yesterday's partition on, which is the newest."""
    set_on = datetime.now(UTC).date() - timedelta(days=1)
    with library_errors(), warehouse.open() as engine:
        (first, last), model = champion_training(settings.load().model, TRIED)
        asked_by = {"asset": REFERENCE.to_user_string(), "run": context.run.run_id}
        rows = set_reference(engine, first, last, set_on=set_on, model=model, labels=asked_by)
    return dg.MaterializeResult(
        metadata={
            MODEL_METADATA: model,
            "dagster/row_count": rows,
            "days": f"{first} to {last}",
            "in_force_from": str(set_on),
        }
    )
