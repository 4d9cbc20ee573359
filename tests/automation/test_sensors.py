"""The sensors on a real event log: what they request, what they leave, what they remember over a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.drift_reference import REFERENCE
from assets.retraining import FEATURES_TAG, REASON_TAG
from automation.jobs import ADOPTION_JOB, EXCLUSIVE_TAG, RETRAINING_JOB, TRAINING_JOB
from automation.sensors import sensors
from bnpl_features.risk_model.registry import CHAMPION, Registry, open_registry, register
from definitions import defs
from resources.gate import GateResource
from resources.settings import SettingsResource
from tests.automation.event_log import GATE, GROUP, computed
from tests.code_location import instance_of
from tests.lender import Lender

DAY = date(2026, 3, 10)
ONE_DAY = timedelta(days=1)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def tick(instance: dg.DagsterInstance, name: str, cursor: str | None = None, **settings: str) -> Any:
    """One evaluation, as after a start of the daemon: only the cursor is handed on."""
    context = dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=defs.get_repository_def(),
        resources={
            "settings": SettingsResource(overrides=settings),
            "gate": GateResource(checks=[f"{key.asset_key.to_user_string()}:{key.name}" for key in GATE]),
        },
    )
    return defs.resolve_sensor_def(name).evaluate_tick(context)


def history(instance: dg.DagsterInstance, pattern: str) -> None:
    """A letter a day up to DAY: `d` drifted, `p` performs worse, `x` broken, `.` calm."""
    for back, letter in enumerate(reversed(pattern)):
        computed(
            instance,
            DAY - back * ONE_DAY,
            drifted=["amount_mean_30d"] if letter == "d" else [],
            degraded=["behavioural 3: 1.4 times as many defaults"] if letter == "p" else [],
            broken=["txn_count_7d"] if letter == "x" else [],
        )


def trained(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, job: str = RETRAINING_JOB) -> None:
    definition = defs.resolve_job_def(job)
    instance.create_run_for_job(definition, status=status, tags=definition.run_tags)


def test_drift_of_enough_days_requests_one_run_with_its_reason(instance: dg.DagsterInstance) -> None:
    history(instance, "..ddd")

    found = tick(instance, "retrain_on_drift")

    [request] = found.run_requests
    assert request.run_key == f"retrain-{DAY}"
    assert request.tags[REASON_TAG].startswith("3 of the newest 5 partitions ask for retraining")
    assert request.tags[FEATURES_TAG] == "amount_mean_30d"
    assert request.run_config == {"ops": {"training_set": {"config": {"as_of": str(DAY)}}}}


def test_request_fits_the_job_it_is_for(instance: dg.DagsterInstance) -> None:
    history(instance, "..ddd")
    [request] = tick(instance, "retrain_on_drift").run_requests

    assert defs.resolve_sensor_def("retrain_on_drift").job_name == RETRAINING_JOB
    assert dg.validate_run_config(defs.resolve_job_def(RETRAINING_JOB), request.run_config)


def test_worse_performance_requests_as_drift_does(instance: dg.DagsterInstance) -> None:
    history(instance, ".dp.p")

    [request] = tick(instance, "retrain_on_drift").run_requests
    assert "drift of amount_mean_30d; behavioural 3: 1.4 times as many defaults" in request.tags[REASON_TAG]


def test_what_was_requested_is_not_requested_again_after_a_restart(instance: dg.DagsterInstance) -> None:
    history(instance, "..ddd")
    first = tick(instance, "retrain_on_drift")
    trained(instance, dg.DagsterRunStatus.SUCCESS)

    again = tick(instance, "retrain_on_drift", first.cursor)

    assert again.run_requests == []
    assert f"that was requested with partition {DAY}" in again.skip_message


def test_a_cursor_that_was_lost_asks_with_the_same_key(instance: dg.DagsterInstance) -> None:
    """Dagster starts no second run for a key that it has seen."""
    history(instance, "..ddd")

    keys = [tick(instance, "retrain_on_drift").run_requests[0].run_key for _ in range(2)]

    assert len(set(keys)) == 1


@pytest.mark.parametrize("job", [RETRAINING_JOB, TRAINING_JOB])
@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_nothing_is_requested_while_a_training_waits_or_runs(
    instance: dg.DagsterInstance, job: str, status: dg.DagsterRunStatus
) -> None:
    history(instance, "..ddd")
    trained(instance, status, job)

    assert "a training is under way" in tick(instance, "retrain_on_drift").skip_message


def test_a_training_by_hand_starts_the_cool_down_too(instance: dg.DagsterInstance) -> None:
    history(instance, "..ddd")
    trained(instance, dg.DagsterRunStatus.SUCCESS, TRAINING_JOB)

    assert "not before" in tick(instance, "retrain_on_drift").skip_message
    assert tick(instance, "retrain_on_drift", BNPL_RETRAINING_COOL_DOWN_DAYS="0").run_requests


def test_a_broken_pipeline_asks_for_nothing_and_holds_up_what_is_asked(instance: dg.DagsterInstance) -> None:
    history(instance, "dddx")
    blocked = tick(instance, "retrain_on_drift")

    assert "may not be published: feature_volume:drift failed: drifted: txn_count_7d" in blocked.skip_message
    computed(instance, DAY)
    assert tick(instance, "retrain_on_drift", blocked.cursor).run_requests


def test_a_day_whose_checks_have_not_run_yet_holds_up_the_request(instance: dg.DagsterInstance) -> None:
    history(instance, "..ddd")
    instance.report_runless_asset_event(dg.AssetMaterialization(GROUP, partition=(DAY + ONE_DAY).isoformat()))

    assert f"partition {DAY + ONE_DAY} may not be published" in tick(instance, "retrain_on_drift").skip_message


def test_on_a_new_instance_there_is_nothing_to_decide(instance: dg.DagsterInstance) -> None:
    assert tick(instance, "retrain_on_drift").skip_message == "no partition has been checked yet"


@pytest.fixture
def registry(tmp_path: Path, lender: Lender) -> Registry:
    made = open_registry("", tmp_path / "models")
    for _ in range(2):
        register(made, lender.models["behavioural"], actor="tester")
    return made


def crown(registry: Registry, version: int) -> None:
    registry.client.set_registered_model_alias(registry.registered_name("behavioural"), CHAMPION, str(version))


def adopted(instance: dg.DagsterInstance, model: str) -> None:
    """As the job does it when it succeeds."""
    instance.report_runless_asset_event(dg.AssetMaterialization(REFERENCE, metadata={"model": model}))


def looked(instance: dg.DagsterInstance, registry: Registry) -> Any:
    return tick(instance, "champion_reference", BNPL_MODEL_FOLDER=str(registry.folder))


def test_each_change_of_the_champion_is_adopted_once(instance: dg.DagsterInstance, registry: Registry) -> None:
    assert looked(instance, registry).skip_message == "behavioural has no champion"

    keys = []
    for version in (1, 2, 1):  # promoted, promoted, taken back
        crown(registry, version)
        [request] = looked(instance, registry).run_requests
        [again] = looked(instance, registry).run_requests
        assert again.run_key == request.run_key  # Dagster starts no second run, whether the first goes on or failed
        keys.append(request.run_key)
        adopted(instance, f"behavioural {version}")
        assert looked(instance, registry).skip_message == f"the reference is that of behavioural {version}"

    assert len(set(keys)) == 3
    assert defs.resolve_sensor_def("champion_reference").job_name == ADOPTION_JOB


def test_sensors_that_change_something_are_off_until_they_are_started() -> None:
    status = {sensor.name: sensor.default_status for sensor in sensors}

    assert status.pop("alerts") is dg.DefaultSensorStatus.RUNNING
    assert status == dict.fromkeys(("retrain_on_drift", "champion_reference"), dg.DefaultSensorStatus.STOPPED)


def test_run_queue_admits_one_training(tmp_path: Path) -> None:
    [limit] = instance_of(tmp_path).get_concurrency_config().run_queue_config.tag_concurrency_limits

    assert limit == {"key": EXCLUSIVE_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}


def test_alerts_remember_what_was_told_over_a_restart(
    instance: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    first = tick(instance, "alerts")
    computed(instance, datetime.now(UTC).date() - 3 * ONE_DAY)

    late = tick(instance, "alerts", first.cursor)
    again = tick(instance, "alerts", late.cursor)
    computed(instance, datetime.now(UTC).date() - ONE_DAY)
    tick(instance, "alerts", again.cursor)

    told = [record.message.split(":")[0] for record in caplog.records if record.name == "bnpl_features.alerts"]
    assert len(told) == 1 or told[1].endswith("is published")
    assert "is late" in told[0]
    assert json.loads(late.cursor).keys() == {"place", "ledger"}
