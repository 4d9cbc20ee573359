"""What each job takes in, and how Dagster would spread a range over runs."""

from pathlib import Path

from automation.jobs import BACKFILL_JOB, CHECKED_JOB, DAILY_JOB, EXPERIMENTS_JOB
from bnpl_features.features.catalog import GROUPS
from bnpl_features.risk_model.training import MODEL_NAMES
from definitions import asset_checks
from tests.code_location import DAY, CodeLocation, job_of, why

TABLES = {"transactions_profile", *(group.table for group in GROUPS), "feature_vectors"}
CHECKS = {spec.key.to_user_string() for checks in asset_checks for spec in checks.check_specs}


def test_daily_job_takes_everything() -> None:
    assert _assets(DAILY_JOB) == {"transactions", *TABLES, "drift_report", "published_features"}
    assert _checks(DAILY_JOB) == CHECKS


def test_checked_job_leaves_out_the_publication_and_its_check() -> None:
    assert _assets(CHECKED_JOB) == {"transactions", *TABLES, "drift_report"}
    assert _checks(CHECKED_JOB) == CHECKS - {"published_features:consistency"}


def test_backfill_job_only_computes() -> None:
    assert _assets(BACKFILL_JOB) == TABLES
    assert _checks(BACKFILL_JOB) == set()


def test_a_range_is_one_run_to_compute_and_a_run_a_day_to_publish() -> None:
    computed, published = (job_of(name).asset_layer.asset_graph for name in (BACKFILL_JOB, DAILY_JOB))

    policies = {computed.get(key).backfill_policy for key in computed.executable_asset_keys}
    assert {policy.max_partitions_per_run for policy in policies} == {None}
    [publication] = [key for key in published.executable_asset_keys if key.path == ["published_features"]]
    assert published.get(publication).backfill_policy.max_partitions_per_run == 1


def test_review_job_takes_a_day_before_anything_was_predicted(location: CodeLocation, tmp_path: Path) -> None:
    fresh = location.having(
        BNPL_SCORING_PREDICTIONS_FOLDER=str(tmp_path / "log"),
        BNPL_SCORING_EXPERIMENTS_FILE=str(tmp_path / "experiments.json"),
        BNPL_MODEL_FOLDER=str(tmp_path / "models"),
    )

    result = fresh.run(job_of(EXPERIMENTS_JOB), DAY)

    assert result.success, why(result)
    [evaluation] = result.get_asset_check_evaluations()
    assert evaluation.passed
    assert evaluation.description == "; ".join(f"{name} has no champion" for name in MODEL_NAMES)


def _assets(name: str) -> set[str]:
    return {key.to_user_string() for key in job_of(name).asset_layer.executable_asset_keys}


def _checks(name: str) -> set[str]:
    return {key.to_user_string() for key in job_of(name).asset_layer.asset_graph.asset_check_keys}
