"""What a group's asset writes and says about it, for a day and for a range."""

import dagster as dg

from assets.feature_groups import group_asset
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import GROUPS
from bnpl_features.features.feature import Kind
from tests.code_location import DAY, ONE_DAY, TOMORROW, YESTERDAY, CodeLocation, materialized, range_tags

VOLUME = next(group for group in GROUPS if group.name == "volume")
TABLES = {*(group.table for group in GROUPS), "feature_vectors"}


def test_backfill_of_a_range_is_one_run_that_computes_every_day_and_publishes_nothing(location: CodeLocation) -> None:
    first, last = YESTERDAY - 6 * ONE_DAY, YESTERDAY - 4 * ONE_DAY
    before, runs_before = location.served(), location.instance.get_runs_count()

    result = location.backfill(first, last)

    assert result.success
    assert location.instance.get_runs_count() == runs_before + 1
    assert range_tags(first, last).items() <= result.dagster_run.tags.items()
    assert result.get_asset_check_evaluations() == []
    assert materialized(result) == {"transactions_profile", *TABLES}
    expected = {(first + n * ONE_DAY).isoformat() for n in range(3)}
    for table in TABLES:
        assert expected <= location.instance.get_materialized_partitions(dg.AssetKey(table))
    assert location.served() == before


def test_each_partition_of_a_range_says_its_own_rows(location: CodeLocation) -> None:
    result = location.backfill(YESTERDAY - 6 * ONE_DAY, YESTERDAY - 4 * ONE_DAY)

    for event in result.get_asset_materialization_events():
        table = event.asset_key.to_user_string()
        if table not in TABLES:
            continue
        count = Query(
            f"SELECT COUNT(*) AS n FROM {table} WHERE CAST(partition_date AS STRING) = @day", {"day": event.partition}
        )
        [row] = [row for batch in location.warehouse.read(count, {}) for row in batch.to_pylist()]
        assert event.materialization.metadata["dagster/partition_row_count"].value == row["n"] > 100


def test_day_run_again_holds_the_same_rows_once(location: CodeLocation) -> None:
    before = _rows(location)

    assert location.materialize(VOLUME.table).success

    assert _rows(location) == before


def test_user_sees_rows_columns_and_lineage_of_a_group(template: CodeLocation) -> None:
    asset = group_asset(VOLUME)
    metadata = asset.metadata_by_key[asset.key]

    schema = {column.name: column for column in metadata["dagster/column_schema"].columns}
    lineage = metadata["dagster/column_lineage"].deps_by_column
    assert [*schema] == [column.name for column in group_table(VOLUME).columns]
    assert all(column.description for column in schema.values())
    assert schema["txn_count_7d"].type == "INT64"
    assert {dep.column_name for dep in lineage["amount_sum_30d"]} >= {"amount"}
    assert {dep.asset_key.to_user_string() for deps in lineage.values() for dep in deps} == {"transactions"}
    newest = template.instance.get_latest_materialization_event(dg.AssetKey(VOLUME.table)).asset_materialization
    assert newest.partition == DAY.isoformat()
    assert newest.metadata["dagster/partition_row_count"].value > 100
    assert newest.metadata["seconds"].value >= 0


def test_backfill_over_published_days_leaves_the_newest_served(location: CodeLocation) -> None:
    assert location.publish_alone(DAY).success

    assert location.backfill(YESTERDAY, DAY).success

    assert location.served().partition_date == DAY  # type: ignore[union-attr]
    assert TOMORROW.isoformat() not in location.instance.get_materialized_partitions(dg.AssetKey("feature_vectors"))


def _rows(location: CodeLocation) -> list[dict[str, object]]:
    columns = ("customer_id", *(feature.name for feature in VOLUME.features if feature.kind is Kind.COUNT))
    batches = location.warehouse.read_partition(group_table(VOLUME), DAY, columns, {})
    return sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["customer_id"])
