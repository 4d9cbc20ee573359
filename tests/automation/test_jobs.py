"""What each job takes in, and how Dagster would spread a range over runs."""

from assets.publication import published_key
from automation.jobs import BACKFILL_JOB, CHECKED_JOB, DAILY_JOB, PUBLISH_JOB
from bnpl_features.features.catalog import GROUPS, SETS
from definitions import asset_checks
from tests.code_location import job_of

TABLES = {*(group.table for group in GROUPS), "feature_vectors"}
CHECKS = {spec.key.to_user_string() for checks in asset_checks for spec in checks.check_specs}


OF_PUBLICATIONS = {check for check in CHECKS if check.startswith("published_")}
OF_THE_DAILY_SET = {check for check in OF_PUBLICATIONS if check.startswith("published_features:")}


def test_daily_job_takes_everything_but_sets_that_are_published_by_hand() -> None:
    assert _assets(DAILY_JOB) == {"transactions", *TABLES, "published_features"}
    assert _checks(DAILY_JOB) == CHECKS - OF_PUBLICATIONS | OF_THE_DAILY_SET


def test_checked_job_leaves_out_publications_and_their_checks() -> None:
    assert _assets(CHECKED_JOB) == {"transactions", *TABLES}
    assert _checks(CHECKED_JOB) == CHECKS - OF_PUBLICATIONS


def test_every_set_can_be_published_by_hand() -> None:
    assert _assets(PUBLISH_JOB) == {published_key(one).to_user_string() for one in SETS}
    assert _checks(PUBLISH_JOB) == OF_PUBLICATIONS


def test_backfill_job_only_computes() -> None:
    assert _assets(BACKFILL_JOB) == TABLES
    assert _checks(BACKFILL_JOB) == set()


def test_a_range_is_one_run_to_compute_and_a_run_a_day_to_publish() -> None:
    computed, published = (job_of(name).asset_layer.asset_graph for name in (BACKFILL_JOB, DAILY_JOB))

    policies = {computed.get(key).backfill_policy for key in computed.executable_asset_keys}
    assert {policy.max_partitions_per_run for policy in policies} == {None}
    [publication] = [key for key in published.executable_asset_keys if key.path == ["published_features"]]
    assert published.get(publication).backfill_policy.max_partitions_per_run == 1


def _assets(name: str) -> set[str]:
    return {key.to_user_string() for key in job_of(name).asset_layer.executable_asset_keys}


def _checks(name: str) -> set[str]:
    return {key.to_user_string() for key in job_of(name).asset_layer.asset_graph.asset_check_keys}
