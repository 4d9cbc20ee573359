"""The purchases of a day as a profile, and what became of those that mature on it: where drift shows first."""

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import OWNERS, TRANSACTIONS_PROFILE, WAREHOUSE_POOL
from assets.metadata import fingerprint, table_schema
from assets.partitions import DAILY, days_of, labels
from assets.transactions import TRANSACTIONS
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import OUTCOMES
from bnpl_features.derive.profiled import TRANSACTIONS as PURCHASES
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

_DECLARED = " ".join(column.sql for subject in (PURCHASES, OUTCOMES) for column in subject.columns)


@dg.asset(
    key=TRANSACTIONS_PROFILE,
    description="Sketches of the day's purchases, and of the outcomes that mature on it, by credit range.",
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[TRANSACTIONS],
    group_name="features",
    owners=OWNERS,
    kinds={"bigquery", "sql"},
    code_version=fingerprint(_DECLARED),
    metadata={"dagster/column_schema": table_schema(profiles_table(PURCHASES))},
    pool=WAREHOUSE_POOL,
)
def transactions_profile(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult:
    """One pass over the day's purchases, one over those that mature; small tables, `profile_transactions` and
    `profile_outcomes`."""
    loaded = settings.load()
    matures = {"maturity_days": loaded.model.maturity_days}
    rows = 0
    with library_errors(), warehouse.open() as engine:
        source = loaded.source.checkout_sql(engine.columns(loaded.source.relation))
        for day in days_of(context):
            asked_by = labels(context, PURCHASES.table, day)
            for subject, parameters in ((PURCHASES, {}), (OUTCOMES, matures)):
                query = profile_query(subject, day, source, parameters)
                rows += engine.replace_partition(profiles_table(subject), day, query, asked_by).rows
    return dg.MaterializeResult(metadata={"sketches": rows})
