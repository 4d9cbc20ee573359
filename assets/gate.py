"""May this partition be published? Only the event log is asked, so that the answer is the same in every run.

Dagster's own blocking holds within one run; a publication started alone would pass it by.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from assets.feature_vectors import VECTORS

OVERRIDE_REASON = "override_reason"


@dataclass(frozen=True)
class Verdict:
    """What the gate found: a line for every check, the refusals among them, and the operators' overrides."""

    checks: Mapping[str, str]
    refusals: tuple[str, ...]
    overrides: Mapping[str, str]


def examine(
    instance: dg.DagsterInstance, checks: list[dg.AssetCheckKey], partition: str, handed_over: dg.AssetKey
) -> Verdict:
    """The newest result of each check for the partition; one that did not run, or ran on older data, is a refusal.

    So is an asset that was computed again after `handed_over`, the asset that is published.
    """
    storage = instance.event_log_storage
    newest = storage.get_latest_asset_check_execution_by_key(checks, PartitionKeyFilter(key=partition))
    current = {
        info.check_key: info.is_current
        for info in storage.get_asset_check_partition_info(checks, partition_keys=[partition])
    }
    lines, overrides = {}, {}
    refusals = _computed_later({key.asset_key for key in checks}, instance, partition, handed_over)
    for key in checks:
        name = f"{key.asset_key.to_user_string()}:{key.name}"
        lines[name], refusal, override = _verdict(newest.get(key), current.get(key, False))
        if refusal:
            refusals.append(f"{name} {refusal}")
        if override:
            overrides[name] = override
    return Verdict(lines, tuple(refusals), overrides)


def _computed_later(
    assets: set[dg.AssetKey], instance: dg.DagsterInstance, partition: str, handed_over: dg.AssetKey
) -> list[str]:
    newest = {
        asset: instance.event_log_storage.get_latest_storage_id_by_partition(
            asset, dg.DagsterEventType.ASSET_MATERIALIZATION, {partition}
        ).get(partition, 0)
        for asset in assets | {handed_over}
    }
    return [
        f"{asset.to_user_string()} was computed after {handed_over.to_user_string()}, which must be computed again"
        for asset, position in sorted(newest.items())
        if position > newest[handed_over]
    ]


def _verdict(record: Any, is_current: bool) -> tuple[str, str, str]:
    """(what happened, why it refuses, why an operator let it pass), the latter two often empty."""
    if record is None:
        return "did not run", "did not run for this partition", ""
    evaluation = record.evaluation
    if record.status is AssetCheckExecutionRecordStatus.SUCCEEDED:
        return ("passed", "", "") if is_current else ("passed on older data", "passed, but on older data", "")
    if record.status is not AssetCheckExecutionRecordStatus.FAILED or evaluation is None:
        return "could not run", "could not run to its end", ""
    if evaluation.severity is dg.AssetCheckSeverity.ERROR:
        return "failed", f"failed: {evaluation.description or 'see its result'}", ""
    if not is_current:
        return "warned on older data", "warned, on older data", ""
    reason = evaluation.metadata.get(OVERRIDE_REASON)
    return "warned", "", str(reason.value) if reason else ""


def refuse_ranges(context: dg.OpExecutionContext) -> None:
    """Checks belong to one partition each, and only one version can be the newest."""
    if len(context.partition_keys) > 1:
        first, *_, last = context.partition_keys
        raise dg.Failure(
            description=(
                f"partitions {first} to {last} are not published: one partition a run. Compute the range with the "
                f"backfill job, then run the daily job for {last}"
            ),
            allow_retries=False,
        )


def refuse_unless_checked(context: dg.OpExecutionContext, checks: list[dg.AssetCheckKey]) -> Verdict:
    verdict = examine(context.instance, checks, context.partition_key, VECTORS)
    if verdict.refusals:
        raise dg.Failure(
            description=(
                f"partition {context.partition_key} is not published, the active version stays: "
                f"its gating checks do not allow it; "
                "mend the cause and run the daily job for this partition again. " + "; ".join(verdict.refusals)
            ),
            metadata={"refusals": list(verdict.refusals)},
            allow_retries=False,
        )
    return verdict


def refuse_unless_newest(context: dg.OpExecutionContext, checks: list[dg.AssetCheckKey]) -> None:
    """A backfill must never move production to an older day; a newer one that failed its checks does not count."""
    computed = context.instance.get_materialized_partitions(VECTORS)
    newer = sorted((day for day in computed if day > context.partition_key), reverse=True)
    newest = next((day for day in newer if not examine(context.instance, checks, day, VECTORS).refusals), None)
    if newest:
        raise dg.Failure(
            description=(
                f"partition {context.partition_key} is not published: {newest} is newer and complete; publish it, or, "
                "to serve an older day on purpose, roll back to its version (`bnpl-features rollback`)"
            ),
            allow_retries=False,
        )
