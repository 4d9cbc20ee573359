"""Are the day's purchases there, fresh, and as the source contract says?"""

from datetime import UTC, datetime, time, timedelta

import dagster as dg

from assets.failures import library_errors
from assets.partitions import DAILY, days_of, labels
from assets.transactions import TRANSACTIONS
from bnpl_features.errors import InputError
from bnpl_features.warehouse.transactions import check_columns
from bnpl_features.warehouse.validate import purchase_problems
from bnpl_features.warehouse.volume import daily_volumes
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

LATEST_PURCHASE_BEFORE_MIDNIGHT = timedelta(hours=6)
"""A day whose purchases stop earlier was not loaded to its end."""


@dg.asset_check(
    asset=TRANSACTIONS,
    name="contract",
    description="Columns and types fit the source contract; no null ids, negative amounts or duplicate purchases.",
    blocking=True,
    partitions_def=DAILY,
)
def transactions_contract(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.AssetCheckResult:
    source = settings.load().source
    broken: list[str] = []
    rows = 0
    with library_errors(), warehouse.open() as engine:
        try:
            check_columns(source, engine.columns(source.relation), source.relation)
        except InputError as error:
            return dg.AssetCheckResult(passed=False, description=str(error))
        for day in days_of(context):
            problems = purchase_problems(engine, source, day, labels=labels(context, "transactions", day))
            rows += problems.rows
            broken += [f"{day}: {text}" for text in problems.broken_rules()]
    return dg.AssetCheckResult(
        passed=not broken, description="; ".join(broken) or None, metadata={"purchases": rows, "broken": broken}
    )


@dg.asset_check(
    asset=TRANSACTIONS,
    name="volume",
    description="The day is not empty, nor far from the days before it.",
    blocking=True,
    partitions_def=DAILY,
)
def transactions_volume(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.AssetCheckResult:
    configured = settings.load()
    problems = []
    purchases: dict[str, int] = {}
    with library_errors(), warehouse.open() as engine:
        for day in days_of(context):
            asked_by = labels(context, "transactions", day)
            volumes = daily_volumes(engine, configured.source, day, configured.checks.reference_days, asked_by)
            found = volumes.pop(day).purchases
            purchases[day.isoformat()] = found
            usual = sum(volume.purchases for volume in volumes.values()) / len(volumes) if volumes else None
            if not found:
                problems.append(f"{day} has no purchases; load it, or see why the source is empty")
            elif usual and not (
                configured.checks.smallest_volume * usual <= found <= configured.checks.largest_volume * usual
            ):
                problems.append(
                    f"{day} has {found:,} purchases, the days before it {usual:,.0f} on average; load what is "
                    "missing, or widen BNPL_SMALLEST_VOLUME and BNPL_LARGEST_VOLUME for a real extreme"
                )
    return dg.AssetCheckResult(
        passed=not problems, description="; ".join(problems) or None, metadata={"purchases": purchases}
    )


@dg.asset_check(
    asset=TRANSACTIONS,
    name="freshness",
    description="Purchases reach to the end of the day: the load was not cut short.",
    partitions_def=DAILY,
)
def transactions_freshness(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.AssetCheckResult:
    """A warning, because a quiet evening looks the same."""
    source = settings.load().source
    problems = []
    with library_errors(), warehouse.open() as engine:
        for day in days_of(context):
            latest = daily_volumes(engine, source, day, 0, labels(context, "transactions", day))[day].latest
            end = datetime.combine(day + timedelta(days=1), time(), UTC)
            if latest is None or end - latest.astimezone(UTC) > LATEST_PURCHASE_BEFORE_MIDNIGHT:
                problems.append(f"the newest purchase of {day} is of {latest or 'no time at all'}")
    return dg.AssetCheckResult(
        passed=not problems, severity=dg.AssetCheckSeverity.WARN, description="; ".join(problems) or None
    )


transactions_checks = [transactions_contract, transactions_volume, transactions_freshness]
