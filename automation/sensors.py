"""What is watched: drift and performance, which ask for retraining; the champion; failures, which somebody is told."""

import json
from datetime import UTC, datetime

import dagster as dg

from assets.retraining import FEATURES_TAG, REASON_TAG, TRIED
from automation.history import newest_days, newest_reference, newest_training
from automation.jobs import adopt_champion, retrain
from automation.news import Place, news_of_publication, news_of_runs
from bnpl_features.alerts.delivery import Ledger, deliver
from bnpl_features.connect.models import model_registry, retraining_policy
from bnpl_features.connect.telling import alert_targets
from bnpl_features.retraining.decision import Memory, decide
from bnpl_features.risk_model.registry import CHAMPION, versions
from resources.gate import GateResource
from resources.settings import SettingsResource

LOOK_SECONDS = 30


@dg.sensor(
    job=retrain,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Requests one retraining when enough of the newest partitions ask for it; says why where it does not.",
)
def retrain_on_drift(
    context: dg.SensorEvaluationContext, settings: SettingsResource, gate: GateResource
) -> dg.SensorResult:
    """The cursor holds what the last decision left; the run key makes a request of a partition one run, whatever
    happens to the daemon between the request and the cursor."""
    policy = retraining_policy(settings.load().retraining)
    decision = decide(
        newest_days(context.instance, gate.check_keys(), policy.of_days),
        policy,
        Memory.from_json(context.cursor),
        newest_training(context.instance),
        datetime.now(UTC),
    )
    request, cursor = decision.request, decision.memory.to_json()
    if request is None:
        return dg.SensorResult(skip_reason=decision.because, cursor=cursor)
    run = dg.RunRequest(
        run_key=f"retrain-{request.partition}",
        tags={REASON_TAG: request.reason, FEATURES_TAG: " ".join(request.drifted)},
        run_config={"ops": {"training_set": {"config": {"as_of": str(request.partition)}}}},
    )
    return dg.SensorResult(run_requests=[run], cursor=cursor)


@dg.sensor(
    job=adopt_champion,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Makes what a new champion was trained on the reference of drift, whoever promoted it.",
)
def champion_reference(
    context: dg.SensorEvaluationContext, settings: SettingsResource
) -> dg.RunRequest | dg.SkipReason:
    """No cursor: the event log holds whose reference is in force. One run a change; a person repeats it if it fails."""
    found = versions(model_registry(settings.load().model), TRIED)
    champion = next((one for one in found if CHAMPION in one.aliases), None)
    if champion is None:
        return dg.SkipReason(f"{TRIED} has no champion")
    label = f"{champion.name} {champion.number}"
    in_force, position = newest_reference(context.instance)
    if label == in_force:
        return dg.SkipReason(f"the reference is that of {label}")
    return dg.RunRequest(run_key=f"{label} after {position}", tags={REASON_TAG: f"{label} is the champion"})


@dg.sensor(
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the configured targets of runs and checks that failed, and of a publication that is late.",
)
def alerts(context: dg.SensorEvaluationContext, settings: SettingsResource) -> dg.SensorResult:
    """The cursor holds how far the runs were read, what was sent, and what a target has still to take."""
    chosen, now = settings.load().alerts, datetime.now(UTC)
    kept = json.loads(context.cursor) if context.cursor else {}
    place, ledger = Place.from_json(kept.get("place", ""), now), Ledger.from_json(kept.get("ledger", ""))
    found, place = news_of_runs(context.instance, place, chosen.dagster_url)
    found += news_of_publication(context.instance, set(ledger.sent), now)
    after = deliver(
        found,
        alert_targets(chosen),
        ledger,
        now=now.timestamp(),
        repeat_seconds=chosen.repeat_hours * 3_600,
    )
    said = (
        f"{len(found)} found, {len(after.waiting)} have still to be delivered" if found or after.waiting else "nothing"
    )
    return dg.SensorResult(skip_reason=said, cursor=json.dumps({"place": place.to_json(), "ledger": after.to_json()}))


sensors = [retrain_on_drift, champion_reference, alerts]
