"""What is watched: drift and performance, which ask for a retraining."""

from datetime import UTC, datetime

import dagster as dg

from assets.retraining import FEATURES_TAG, REASON_TAG
from automation.history import newest_days, newest_training
from automation.jobs import retrain
from bnpl_features.connect import retraining_policy
from bnpl_features.retraining.decision import Memory, decide
from resources.gate import GateResource
from resources.settings import SettingsResource

LOOK_SECONDS = 60


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


sensors = [retrain_on_drift]
