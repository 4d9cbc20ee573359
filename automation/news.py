"""What happened that somebody has to be told: runs and checks that failed, a publication that is late, a retraining.

Causes are told in our own words only. An exception of anybody else may quote a row, and so a customer: of it the kind
is told, and the run where the rest is.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

from assets.metadata import fingerprint
from assets.publication import DEADLINE, PUBLISHED
from assets.retraining import REASON_TAG
from automation.jobs import RETRAINING_JOB
from bnpl_features import errors
from bnpl_features.alerts.alert import Alert, Severity

PARTITION_TAG = "dagster/partition"
_LATE = "late"
_OVERLAP = timedelta(seconds=60)
"""A run may be seen later than its time of change says: the database had not finished writing."""

_MOST_RUNS = 100
_OURS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
_TOLD_BY_THE_CHECK = DagsterAssetCheckFailedError.__name__
_EVENTS = {
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.PIPELINE_FAILURE,
}


@dataclass(frozen=True)
class Place:
    """How far the runs have been read: up to a moment, and which were seen shortly before it."""

    until: str
    seen: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, now: datetime) -> "Place":
        """At present where there is no text: nobody is told of what failed before there were alerts."""
        if not text:
            return cls(now.isoformat())
        value = json.loads(text)
        return cls(value["until"], tuple(value["seen"]))


def news_of_runs(instance: dg.DagsterInstance, place: Place, dagster_url: str) -> tuple[list[Alert], Place]:
    """Of the runs that ended after the place, and the place after them."""
    until = datetime.fromisoformat(place.until)
    ended = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE], updated_after=until - _OVERLAP
    )
    records = instance.get_run_records(ended, limit=_MOST_RUNS, order_by="update_timestamp", ascending=True)
    alerts = []
    for record in records:
        run = record.dagster_run
        if run.run_id not in place.seen:
            alerts += _of_run(instance, run, f"{dagster_url.rstrip('/')}/runs/{run.run_id}" if dagster_url else "")
    changed = {record.dagster_run.run_id: record.update_timestamp.astimezone(UTC) for record in records}
    until = max([until, *changed.values()])
    return alerts, Place(until.isoformat(), tuple(run_id for run_id, at in changed.items() if at >= until - _OVERLAP))


def news_of_publication(instance: dg.DagsterInstance, told: set[str], now: datetime) -> list[Alert]:
    """That yesterday is not published after the deadline, and that it is at last; `told` are keys of former alerts.

    Nothing where nothing was ever published.
    """
    published = instance.get_materialized_partitions(PUBLISHED)
    if not published:
        return []
    newest = date.fromisoformat(max(published))
    due = now.date() - timedelta(days=1 if now.time() >= DEADLINE else 2)
    if newest < due:
        text = (
            f"At {DEADLINE:%H:%M} UTC {due} should have been served; the newest partition that was published is "
            f"{newest}. What is served goes on being served, and is stale 30 hours after its day has ended. See the "
            f"day's run, mend the cause, then: bnpl-features run --partition {due}"
        )
        return [Alert(f"{_LATE}:{due}", f"The publication of {due} is late", text)]
    was_late = [
        key for key in told if key.startswith(f"{_LATE}:") and date.fromisoformat(key[len(_LATE) + 1 :]) <= newest
    ]
    return [
        Alert(f"published:{key}", f"{newest} is published", f"That was {key.replace(':', ': ')}.", Severity.INFO)
        for key in sorted(was_late)[-1:]
    ]


def _of_run(instance: dg.DagsterInstance, run: dg.DagsterRun, link: str) -> list[Alert]:
    partition = run.tags.get(PARTITION_TAG, "")
    what = f"{run.job_name} {partition}".strip()
    causes = list(dict.fromkeys(_causes(instance, run)))
    where = f"Run {run.run_id}; docs/operations.md says what each check asks for."
    if causes or not run.is_success:
        title = f"{what} {'has failed checks' if run.is_success else 'failed'}"
        key = f"run:{what}:{fingerprint(' '.join(causes))}"
        return [Alert(key, title, "\n".join([*causes, where]), link=link)]
    if run.job_name == RETRAINING_JOB:
        text = (
            f"{run.tags.get(REASON_TAG) or 'It was started by hand.'}\nHow the challenger compares with the "
            "champion, and whether it is on trial: assets champion_comparison and challenger_trial, or "
            "`bnpl-features models` and `bnpl-features experiments list`."
        )
        return [Alert(f"retrained:{run.run_id}", "The models were trained again", text, Severity.INFO, link)]
    return []


def _causes(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[str]:
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=_EVENTS)]
    told = False
    for event in events:
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR:
                name = f"{evaluation.asset_key.to_user_string()}:{evaluation.check_name}"
                told = True
                yield f"{name} failed: {evaluation.description or 'see its result'}"
        elif event.event_type is dg.DagsterEventType.STEP_FAILURE:
            reason = _reason(event.step_failure_data)
            if reason:
                told = True
                yield f"{event.step_key}: {reason}"
        elif not told:
            # Dagster's own words on a run that ended from outside; an error's may be anybody's.
            is_from_outside = event.event_specific_data is None and event.message
            yield event.message if is_from_outside else "it failed outside of its steps; the run says why"


def _reason(failure: Any) -> str:
    """The description of a failure of ours, or the kind of any other; empty where a check says it."""
    if failure.user_failure_data:
        return failure.user_failure_data.description or "see the run"
    error = failure.error
    while error and error.cause:
        error = error.cause
    if error is None:
        return "no reason was recorded"
    if error.cls_name == _TOLD_BY_THE_CHECK:
        return ""
    if error.cls_name in _OURS:
        return error.message.strip()
    return f"{error.cls_name}; its message is in the run, since it may name a customer"
