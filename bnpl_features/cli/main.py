"""The group of all commands."""

from __future__ import annotations

import logging

import click

from bnpl_features import __version__
from bnpl_features.cli.backfilling import backfill
from bnpl_features.cli.capacity import capacity
from bnpl_features.cli.catalogue import catalogue, features
from bnpl_features.cli.completing import completion
from bnpl_features.cli.console import console_command, console_user
from bnpl_features.cli.customers import customer
from bnpl_features.cli.demo import demo
from bnpl_features.cli.doctor import doctor
from bnpl_features.cli.drift_maps import drift_distribution, drift_map
from bnpl_features.cli.drifting import drift, drift_reference
from bnpl_features.cli.erasing import erase_command, erasures, readmit_command
from bnpl_features.cli.experimenting import experiments
from bnpl_features.cli.interop import feast
from bnpl_features.cli.metrics import metrics
from bnpl_features.cli.models import evaluate, models, promote, train
from bnpl_features.cli.opening import up
from bnpl_features.cli.overseeing import audit, overview, serving
from bnpl_features.cli.pipeline import run
from bnpl_features.cli.planning import plan
from bnpl_features.cli.purchases import load, simulate
from bnpl_features.cli.retraining import demo_drift, retraining, test_alert
from bnpl_features.cli.scoring import api_key, serve
from bnpl_features.cli.serving import activate, get, retire_command, rollback, versions
from bnpl_features.cli.sets import sets
from bnpl_features.cli.simulated_day import simulate_day
from bnpl_features.cli.store_users import store_users
from bnpl_features.cli.streaming import stream
from bnpl_features.cli.training_sets import training_set


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="bnpl-features")
def commands() -> None:
    """Behavioural features of BNPL customers: computed daily in the warehouse, served by version from Redis.

    Configuration: bnpl-features.toml and the environment (docs/settings.md). Without any, everything runs on embedded
    parts in the folder .bnpl.
    """
    # Here the missing customer key is the doctor's to tell, once, not every command's.
    logging.getLogger("bnpl_features").setLevel(logging.ERROR)


_COMMANDS = (
    (simulate, load, run, backfill, up, demo, demo_drift),
    (features, catalogue, sets, get, customer, versions, activate, rollback, retire_command),
    (erase_command, readmit_command, erasures),
    (train, evaluate, models, promote, retraining, training_set),
    (drift, drift_map, drift_distribution, drift_reference),
    (serve, api_key, experiments),
    (stream, simulate_day),
    (feast,),
    (console_command, console_user, overview, serving, audit),
    (store_users, capacity, plan, doctor, metrics, test_alert, completion),
)
for command in (one for some in _COMMANDS for one in some):
    commands.add_command(command)
