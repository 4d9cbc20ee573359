"""An experiment's report, as metrics by arm."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

from bnpl_features.scoring.experiments.analysis import Report
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label, valued


def experiment_families(experiment: str, report: Report, harm: Sequence[str]) -> Iterator[Family]:
    """What is not known yet has no sample."""
    approvals = {(experiment, arm.arm): arm.approval_rate.value for arm in report.arms}
    defaults = {(experiment, arm.arm): arm.default_rate.value for arm in report.arms}
    yield valued(catalogue.EXPERIMENT_REPORTED, time.time())
    yield by_label(catalogue.EXPERIMENT_CUSTOMERS, {(experiment, arm.arm): arm.customers for arm in report.arms})
    yield by_label(catalogue.EXPERIMENT_APPROVAL_RATE, _known(approvals))
    yield by_label(catalogue.EXPERIMENT_DEFAULT_RATE, _known(defaults))
    yield by_label(catalogue.EXPERIMENT_HARM, {(experiment,): len(harm)})


def without_experiment() -> Iterator[Family]:
    """None is running: what was told of the last one no longer counts."""
    yield valued(catalogue.EXPERIMENT_REPORTED, time.time())


def _known(values: dict[tuple[str, str], float]) -> dict[tuple[object, ...], float]:
    return {key: value for key, value in values.items() if not math.isnan(value)}
