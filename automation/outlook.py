"""Would the models be trained again now? The decision of the sensor, asked for by a person: nothing is requested.

python -m automation.outlook
"""

# ruff: noqa: E402 (the preview notices of Dagster's API speak to developers, not to whoever asks)
import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

import sys
from datetime import UTC, datetime

from dagster._core.definitions.run_request import InstigatorType

from automation.history import newest_days, newest_training
from automation.launch import wide_console
from bnpl_features.connect.models import retraining_policy
from bnpl_features.retraining.decision import Day, Memory, decide
from bnpl_features.settings import load_settings
from definitions import asset_checks
from resources.gate import gate_of

SENSOR = "retrain_on_drift"


def main() -> int:
    console, policy = wide_console(), retraining_policy(load_settings().retraining)
    with dg.DagsterInstance.get() as instance:
        state = next(
            (s for s in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR) if s.name == SENSOR), None
        )
        cursor = getattr(state.instigator_data, "cursor", None) if state else None
        days = newest_days(instance, gate_of(asset_checks).check_keys(), policy.of_days)
        decision = decide(days, policy, Memory.from_json(cursor), newest_training(instance), datetime.now(UTC))
    for day in days:
        console.print(f"{day.partition} {_said(day)}", highlight=False)
    console.print(f"{'yes' if decision.request else 'no'}: {decision.because}", highlight=False)
    console.print(f"the sensor {SENSOR} is {state.status.value.lower() if state else 'not started'}", highlight=False)
    return 0


def _said(day: Day) -> str:
    parts = [f"drift of {', '.join(day.drifted)}" if day.drifted else "", *day.degraded]
    refused = [f"may not be published: {day.blocked[0]}"] if day.blocked else []
    return "; ".join([part for part in parts if part] + refused) or "asks for nothing"


if __name__ == "__main__":
    sys.exit(main())
