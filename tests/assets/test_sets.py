"""Feature sets and segments as assets: a set is published alone, beside the others, from the same table."""

from __future__ import annotations

import dagster as dg
import pytest

from assets.feature_groups import group_asset
from assets.publication import publication_of
from bnpl_features.derive.table import group_table
from bnpl_features.features.catalog import BEHAVIOURAL, SEGMENTED
from bnpl_features.features.segment import SEGMENT, SEGMENT_GROUP, SEGMENTS
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.versions import active_version, manifest_of
from tests.code_location import DAY, SECRET, YESTERDAY, CodeLocation, check_key, failed_checks, job_of, why

PUBLISHED_2 = "published_behavioural_2"


def publish_second_set(location: CodeLocation) -> dg.ExecuteInProcessResult:
    checks = {check_key(PUBLISHED_2, name) for name in ("consistency", "readers")}
    selected = {dg.AssetKey(PUBLISHED_2)}
    return location.run(job_of("publish_sets").get_subset(asset_selection=selected, asset_check_selection=checks))


@pytest.fixture
def both_served(location: CodeLocation) -> CodeLocation:
    """The first set of yesterday, the second of the day."""
    result = publish_second_set(location)
    assert result.success, why(result)
    assert failed_checks(result) == set()
    return location


def test_a_set_is_published_alone_and_leaves_the_others_as_they_were(both_served: CodeLocation) -> None:
    client, keyspace = connect(both_served.url), Keyspace(both_served.namespace, SEGMENTED.name)
    version = active_version(client, keyspace)
    assert version is not None
    manifest = manifest_of(client, keyspace, version)

    assert (manifest.layout.feature_set, manifest.partition_date) == ("behavioural@2", DAY)
    assert both_served.served().partition_date == YESTERDAY  # type: ignore[union-attr]


def test_every_customer_is_served_the_segment_that_the_warehouse_gave(both_served: CodeLocation) -> None:
    batches = both_served.warehouse.read_partition(group_table(SEGMENT_GROUP), DAY, ("customer_id", SEGMENT), {})
    given = {row["customer_id"]: row[SEGMENT] for batch in batches for row in batch.to_pylist()}

    with CustomerFeatureStore(
        both_served.url,
        namespace=both_served.namespace,
        customer_key=SECRET.encode(),
        feature_set=SEGMENTED.name,
        budget_seconds=2.0,
    ) as reader:
        served = dict(zip(given, [answer.segment for answer in reader.get_many(list(given))], strict=True))
        unknown = reader.get("nobody")

    assert served == given
    assert len(set(given.values())) >= 3
    assert unknown.segment == "new"


def test_a_set_shows_what_it_is_made_of() -> None:
    first, second = publication_of(BEHAVIOURAL), publication_of(SEGMENTED)
    described = [asset.metadata_by_key[asset.key] for asset in (first, second)]

    assert [one["feature_set"] for one in described] == ["behavioural@1", "behavioural@2"]
    assert "39. segment" in described[1]["features"].value
    assert (
        "| at_risk | Missed a payment within 90 days. | `missed_payments_90d > 0` |" in described[1]["segments"].value
    )
    assert "segments" not in described[0]
    assert [one["published_daily"] for one in described] == [True, False]


def test_the_segment_is_an_asset_of_the_groups_that_its_rules_read() -> None:
    asset = group_asset(SEGMENT_GROUP)

    assert {key.to_user_string() for key in asset.dependency_keys} == {"feature_volume", "feature_risk_evolution"}
    metadata = asset.metadata_by_key[asset.key]
    assert all(one.name in metadata["segments"].value for one in SEGMENTS)
    read = metadata["dagster/column_lineage"].deps_by_column[SEGMENT]
    assert {dep.column_name for dep in read} == {
        "txn_count_90d",
        "amount_sum_30d",
        "missed_payments_90d",
        "days_since_first_txn",
    }
