"""Is everybody there, once, in every group, with no more nulls than usual?"""

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import group_key
from assets.feature_vectors import VECTORS, VECTORS_TABLE
from assets.partitions import DAILY, days_of, labels
from bnpl_features.derive.partition import coverage_query, size_query
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS
from bnpl_features.features.feature import FeatureGroup
from checks.comparisons import comparisons
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource


def unique_customer_check(group: FeatureGroup) -> dg.AssetChecksDefinition:
    table = group_table(group)

    @dg.asset_check(
        asset=group_key(group),
        name="unique_customer",
        description="One row a customer.",
        blocking=True,
        partitions_def=DAILY,
    )
    def check(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> dg.AssetCheckResult:
        repeated = 0
        with library_errors(), warehouse.open() as engine:
            for day in days_of(context):
                size = next(engine.read(size_query(table, day), labels(context, table.name, day))).to_pylist()[0]
                repeated += size["row_count"] - size["customers"]
        return dg.AssetCheckResult(
            passed=repeated == 0,
            description=f"{repeated:,} rows repeat a customer" if repeated else None,
            metadata={"repeated_rows": repeated},
        )

    return check


def row_count_check(group: FeatureGroup) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=group_key(group),
        name="row_count",
        description="The number of customers is near that of the trailing days.",
        blocking=True,
        partitions_def=DAILY,
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
    ) -> dg.AssetCheckResult:
        thresholds = settings.load().checks
        problems: list[str] = []
        customers: dict[str, int] = {}
        for day, found in comparisons(context, warehouse, group, thresholds.reference_days):
            customers[day.isoformat()] = found.rows
            usual = found.trailing.mean_rows
            if not found.rows:
                problems.append(f"{day} has no customers")
            elif usual and abs(found.rows / usual - 1) > thresholds.row_count_tolerance:
                problems.append(f"{day} has {found.rows:,} customers, the days before it {usual:,.0f}")
        return dg.AssetCheckResult(
            passed=not problems, description="; ".join(problems) or None, metadata={"customers": customers}
        )

    return check


def nulls_check(group: FeatureGroup) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=group_key(group),
        name="nulls",
        description="No feature has many more nulls than on the trailing days.",
        blocking=True,
        partitions_def=DAILY,
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
    ) -> dg.AssetCheckResult:
        thresholds = settings.load().checks
        problems: list[str] = []
        shares: dict[str, float] = {}
        for day, found in comparisons(context, warehouse, group, thresholds.reference_days):
            for name in (feature.name for feature in group.features):
                share, before = found.null_shares(name)
                shares[name] = round(share, 4)
                if found.has_reference and share - before > thresholds.null_increase:
                    problems.append(f"{name} is null for {share:.0%} of customers on {day}, for {before:.0%} before")
        return dg.AssetCheckResult(
            passed=not problems, description="; ".join(problems) or None, metadata={"null_share": shares}
        )

    return check


@dg.asset_check(
    asset=VECTORS,
    name="completeness",
    description="Every group covers the same customers.",
    blocking=True,
    partitions_def=DAILY,
)
def vectors_completeness(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> dg.AssetCheckResult:
    problems: list[str] = []
    customers = 0
    with library_errors(), warehouse.open() as engine:
        for day in days_of(context):
            asked_by = labels(context, VECTORS_TABLE.name, day)
            coverage = next(engine.read(coverage_query(GROUPS, day), asked_by)).to_pylist()[0]
            size = next(engine.read(size_query(VECTORS_TABLE, day), asked_by)).to_pylist()[0]
            customers += size["customers"]
            known = coverage.pop("customers")
            problems += [
                f"{group} lacks {missing:,} customers on {day}" for group, missing in coverage.items() if missing
            ]
            if size["customers"] != known or size["row_count"] != known:
                problems.append(f"{size['row_count']:,} vectors for {known:,} customers on {day}")
    return dg.AssetCheckResult(
        passed=not problems and customers > 0,
        description="; ".join(problems) or (None if customers else "the partition has no customers"),
        metadata={"customers": customers},
    )


completeness_checks = [
    *(factory(group) for group in GROUPS for factory in (unique_customer_check, row_count_check, nulls_check)),
    vectors_completeness,
]
