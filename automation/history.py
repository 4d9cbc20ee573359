"""What the event log says of the newest partitions and the newest training: all that a retraining is decided from."""

from datetime import date

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter

from assets.drift_reference import MODEL_METADATA, REFERENCE
from assets.feature_groups import group_key
from assets.feature_vectors import VECTORS
from assets.gate import examine
from assets.performance import ASKED, DEGRADED, FINDINGS, PERFORMANCE
from automation.jobs import EXCLUSIVE_TAG, TRAINING_JOB
from bnpl_features.features.catalog import GROUPS
from bnpl_features.retraining.decision import Day, LastRun
from checks.drift import DRIFTED_FEATURES, RETRAINING_ASKED, drift_checks

_DRIFT_CHECKS = [spec.key for check in drift_checks for spec in check.check_specs]
_PERFORMANCE_CHECK = dg.AssetCheckKey(PERFORMANCE, DEGRADED)


def newest_days(instance: dg.DagsterInstance, gate: list[dg.AssetCheckKey], most: int) -> list[Day]:
    """The newest partitions whose features were computed, in order; `gate` holds the checks a publication waits for.

    Only of the newest it is asked whether it may be published: what blocked an older one has been dealt with.
    """
    computed = {key for group in GROUPS for key in instance.get_materialized_partitions(group_key(group))}
    partitions = sorted(computed)[-most:]
    return [_day(instance, key, gate if key == partitions[-1] else []) for key in partitions]


def newest_training(instance: dg.DagsterInstance) -> LastRun | None:
    """The newest run that trained, or is to train: whoever asked for it, waiting in the queue or not."""
    of_training = dg.RunsFilter(tags={EXCLUSIVE_TAG: TRAINING_JOB})
    for record in instance.get_run_records(of_training, limit=1):
        run = record.dagster_run
        return LastRun(
            record.create_timestamp,
            is_running=not run.is_finished,
            failed=run.is_finished and not run.is_success,
        )
    return None


def newest_reference(instance: dg.DagsterInstance) -> tuple[str, int]:
    """Whose training data is the reference of drift, and where in the event log that stands; nobody's at 0."""
    for record in instance.fetch_materializations(REFERENCE, limit=1).records:
        materialization = record.asset_materialization
        if materialization:
            return str(materialization.metadata[MODEL_METADATA].value), record.storage_id
    return "", 0


def _day(instance: dg.DagsterInstance, partition: str, gate: list[dg.AssetCheckKey]) -> Day:
    of_partition = PartitionKeyFilter(key=partition)
    checks = [*_DRIFT_CHECKS, _PERFORMANCE_CHECK]
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks, of_partition)
    # Of a check that is planned, or could not run, there is no evaluation.
    evaluations = {key: record.evaluation for key, record in newest.items()}
    said = {key: one.metadata for key, one in evaluations.items() if isinstance(one, dg.AssetCheckEvaluation)}
    drifted: list[str] = []
    for key in _DRIFT_CHECKS:
        metadata = said.get(key, {})
        if RETRAINING_ASKED in metadata and metadata[RETRAINING_ASKED].value:
            drifted += metadata[DRIFTED_FEATURES].value
    degraded = said.get(_PERFORMANCE_CHECK, {})
    return Day(
        date.fromisoformat(partition),
        tuple(drifted),
        tuple(degraded[FINDINGS].value) if ASKED in degraded and degraded[ASKED].value else (),
        _refusals(instance, gate, partition) if gate else (),
    )


def _refusals(instance: dg.DagsterInstance, gate: list[dg.AssetCheckKey], partition: str) -> tuple[str, ...]:
    """A check that failed comes first: that later assets were not computed follows from it."""
    found = examine(instance, gate, partition, VECTORS).refusals
    return tuple(sorted(found, key=lambda text: " failed: " not in text))
