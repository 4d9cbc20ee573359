"""Does every row of a table keep to its declarations? Pandera over Arrow batches, so memory stays bounded."""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import group_key
from assets.feature_vectors import VECTORS, VECTORS_TABLE
from assets.partitions import DAILY, days_of, labels
from bnpl_features.derive.schema import schema_of, validate
from bnpl_features.derive.table import CUSTOMER_COLUMN, Table, group_table
from bnpl_features.features.catalog import ALL_FEATURES, GROUPS
from bnpl_features.features.feature import Feature
from resources.warehouse import WarehouseResource

_MOST_SHOWN = 20


def schema_check(asset: dg.AssetKey, table: Table, features: Sequence[Feature]) -> dg.AssetChecksDefinition:
    columns = (CUSTOMER_COLUMN, *(feature.name for feature in features))

    @dg.asset_check(
        asset=asset,
        name="schema",
        description="Types, bounds and nullability of every row are as declared.",
        blocking=True,
        partitions_def=DAILY,
    )
    def check(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> dg.AssetCheckResult:
        schema = schema_of(table.name, features)
        rows, violations = 0, Counter[tuple[str, str]]()
        with library_errors(), warehouse.open() as engine:
            for day in days_of(context):
                batches = engine.read_partition(table, day, columns, labels(context, table.name, day))
                validation = validate(schema, batches)
                rows += validation.rows
                violations += validation.violations
        broken = [f"{column} breaks {rule} {count:,} times" for (column, rule), count in violations.most_common()]
        return dg.AssetCheckResult(
            passed=bool(rows) and not broken,
            description="; ".join(broken[:_MOST_SHOWN]) or (None if rows else "the partition has no rows"),
            metadata={"rows": rows, "violations": sum(violations.values())},
        )

    return check


schema_checks = [
    *(schema_check(group_key(group), group_table(group), group.features) for group in GROUPS),
    schema_check(VECTORS, VECTORS_TABLE, ALL_FEATURES.features),
]
