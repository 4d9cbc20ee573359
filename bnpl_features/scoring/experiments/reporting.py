"""An experiment's report from the warehouse, and the stop of one that does harm."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

import numpy as np

from bnpl_features.errors import RelationMissing
from bnpl_features.scoring.experiments.analysis import Report, analyse, columns_of
from bnpl_features.scoring.experiments.definition import CONTROL, Definitions, Experiment, stop
from bnpl_features.scoring.experiments.guardrails import Guardrails, harm_of
from bnpl_features.scoring.experiments.outcomes import COUNTS, customers_query
from bnpl_features.scoring.experiments.shelf import Shelf, change
from bnpl_features.warehouse.warehouse import Labels, Warehouse

GUARDRAIL = "guardrail"
"""Who stopped an experiment that nobody stopped."""

_KEYS = ("customer_digest", "arm", "is_shadow")


def report_on(
    warehouse: Warehouse,
    source: str,
    experiment: Experiment,
    *,
    as_of: date,
    maturity_days: int,
    labels: Labels | None = None,
) -> Report:
    """Everything known by the end of `as_of`; `source` yields the canonical columns of purchases.

    Raises `RelationMissing` where no predictions were loaded yet, and as `Warehouse.read` does.
    """
    query = customers_query(
        source, experiment.name, day_of(experiment.started_at), as_of, day_of(experiment.shares_since), maturity_days
    )
    try:
        batches = [
            {name: np.asarray(batch.column(name).to_numpy(zero_copy_only=False)) for name in (*_KEYS, *COUNTS)}
            for batch in warehouse.read(query, labels or {})
            if batch.num_rows
        ]
    except RelationMissing as error:
        raise RelationMissing(
            "the warehouse has no predictions yet; the job review_experiments loads the service's log each day: run "
            "it, or materialise `predictions`"
        ) from error
    return analyse(columns_of(batches, (*_KEYS, *COUNTS)), control_of(experiment), experiment.shares)


def enforce(shelf: Shelf, experiment: Experiment, report: Report, guardrails: Guardrails) -> tuple[str, ...]:
    """Stop the experiment where its report shows harm, and leave why in the definition and in the audit trail; returns
    what is wrong."""
    harm = harm_of(report, guardrails)
    if harm and experiment.is_running:
        because = "; ".join(harm)

        def stopped(definitions: Definitions) -> Definitions:
            return stop(definitions, experiment.name, now=time.time(), because=because)

        change(shelf, stopped, act=f"stop experiment {experiment.name}", actor=GUARDRAIL, reason=because)
    return harm


def control_of(experiment: Experiment) -> str:
    """The arm whose model is the champion's."""
    return next((arm.name for arm in experiment.arms if arm.model is None and not arm.is_shadow), CONTROL)


def day_of(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
