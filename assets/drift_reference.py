"""The loop closed: what the champion was trained on becomes what the days to come are compared with."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL, group_key
from assets.metadata import fingerprint
from assets.retraining import RETRAINING_GROUP, TRIED
from assets.training import OWNERS
from bnpl_features.connect import model_registry
from bnpl_features.drift.references import references_table, set_reference
from bnpl_features.features.catalog import GROUPS
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.registry import CHAMPION, load_model
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

REFERENCE = dg.AssetKey("drift_reference")
MODEL_METADATA = "model"
"""Metadata of a materialisation: the champion whose training data it holds, as `model_label` names it."""


def model_label(name: str, version: int) -> str:
    return f"{name} {version}"


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
    chosen = settings.load().model
    set_on = datetime.now(UTC).date() - timedelta(days=1)
    with library_errors(), warehouse.open() as engine:
        champion = load_model(model_registry(chosen), TRIED, CHAMPION)
        first, last = partitions_trained_on(champion)
        label = model_label(champion.name, champion.version or 0)
        asked_by = {"asset": REFERENCE.to_user_string(), "run": context.run.run_id}
        rows = set_reference(engine, first, last, set_on=set_on, model=label, labels=asked_by)
    return dg.MaterializeResult(
        metadata={
            MODEL_METADATA: label,
            "dagster/row_count": rows,
            "days": f"{first} to {last}",
            "in_force_from": str(set_on),
        }
    )


def partitions_trained_on(model: Model) -> tuple[date, date]:
    """The partitions whose features its purchases had, first and last: those of the days before."""
    days = model.provenance["days"]
    first, last = (date.fromisoformat(days[part][end]) for part, end in (("train", 0), ("validation", 1)))
    return first - timedelta(days=1), last - timedelta(days=1)
