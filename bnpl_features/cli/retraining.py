"""Commands around retraining and alerts."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from bnpl_features.cli.output import console, named_exit
from bnpl_features.cli.pipeline import launch_module
from bnpl_features.connect.telling import alert_targets
from bnpl_features.settings import load_settings

DEMO_FOLDER = Path(".bnpl/drift-demo")


@click.command(name="demo-drift")
@click.option("--customers", default=1_500, show_default=True, help="Size of the population.")
def demo_drift(customers: int) -> None:
    """Show drift that ends in a challenger on trial: simulated customers change, a daemon does the rest.

    Everything is made anew in .bnpl/drift-demo; your own data and settings of a store are not touched.

    Example: bnpl-features demo-drift
    """
    sys.exit(launch_module("automation.drift_demo", [str(DEMO_FOLDER.resolve()), "--customers", str(customers)]))


@click.command()
def retraining() -> None:
    """Say whether the models would be trained again now, and why: what the sensor retrain_on_drift sees.

    Example: bnpl-features retraining
    """
    sys.exit(launch_module("automation.outlook", []))


@click.command(name="test-alert")
def test_alert() -> None:
    """Send a test alert to every configured target; ends with 7 where one does not take it.

    Example: bnpl-features test-alert
    """
    from bnpl_features.alerts.alert import Alert, Severity
    from bnpl_features.alerts.targets import described
    from bnpl_features.errors import AlertUndelivered

    alert = Alert(f"test:{time.time():.0f}", "A test alert", "Somebody ran `bnpl-features test-alert`.", Severity.INFO)
    code = 0
    with named_exit():
        for target in alert_targets(load_settings().alerts):
            try:
                target.send(alert)
                console.print(f"{described(target)}: sent")
            except AlertUndelivered as error:
                console.print(f"{described(target)}: {error}", highlight=False)
                code = error.exit_code
    sys.exit(code)
