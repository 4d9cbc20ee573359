"""Experiments on live purchases: who is in which arm, what came of it, and how near a guardrail is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bnpl_features.errors import RelationMissing
from bnpl_features.scoring.experiments.analysis import Report
from bnpl_features.scoring.experiments.definition import Experiment
from bnpl_features.scoring.experiments.guardrails import Guardrails, harm_of
from bnpl_features.scoring.experiments.reporting import control_of, report_on
from bnpl_features.scoring.experiments.shelf import Shelf, read_definitions
from bnpl_features.warehouse.transactions import Source
from bnpl_features.warehouse.warehouse import Warehouse

_LABELS = {"asset": "console"}
_NOTHING_SCORED = Report((), (), 1.0, 0)


@dataclass(frozen=True)
class ArmFigure:
    """`model` and `version` are None for the control, which is whatever is the champion; `share` is of all customers,
    None of a shadow arm."""

    name: str
    model: str | None
    version: int | None
    is_shadow: bool
    is_control: bool
    share: float | None


@dataclass(frozen=True)
class ExperimentFigure:
    """Moments are seconds since the epoch; `outside` is the share of the customers in no arm."""

    name: str
    state: str
    started_at: float
    shares_since: float
    stopped_at: float | None
    actor: str
    reason: str
    stopped_because: str
    arms: tuple[ArmFigure, ...]
    outside: float

    @property
    def is_running(self) -> bool:
        return self.stopped_at is None

    @property
    def shares(self) -> dict[str, float]:
        """Share of the customers by arm that answers."""
        return {arm.name: arm.share for arm in self.arms if arm.share is not None}

    @property
    def answering(self) -> tuple[ArmFigure, ...]:
        return tuple(arm for arm in self.arms if not arm.is_shadow)


@dataclass(frozen=True)
class Outcome:
    """What came of an experiment by the end of `as_of`; `harm` says in words which guardrails are touched."""

    experiment: str
    as_of: date
    maturity_days: int
    report: Report
    guardrails: Guardrails
    harm: tuple[str, ...]


def experiments(shelf: Shelf) -> tuple[ExperimentFigure, ...]:
    """The running one, if any, then the others, the newest first. Raises `StoreUnavailable`, or `ExperimentRefused` for
    definitions that this release cannot read."""
    found = [_figure(one) for one in reversed(read_definitions(shelf).experiments)]
    return tuple(sorted(found, key=lambda one: not one.is_running))


def outcome(
    shelf: Shelf,
    warehouse: Warehouse,
    source: Source,
    name: str,
    *,
    as_of: date,
    maturity_days: int,
    guardrails: Guardrails,
) -> Outcome:
    """Raises `ExperimentRefused` for a name that is not known, and as `Warehouse.read` does."""
    experiment = read_definitions(shelf).named(name)
    relation = source.checkout_sql(warehouse.columns(source.relation))
    try:
        made = report_on(warehouse, relation, experiment, as_of=as_of, maturity_days=maturity_days, labels=_LABELS)
    except RelationMissing:  # the purchases are there, so it is the predictions, which a first daily run brings
        made = _NOTHING_SCORED
    return Outcome(name, as_of, maturity_days, made, guardrails, harm_of(made, guardrails))


def _figure(one: Experiment) -> ExperimentFigure:
    shares, control = one.shares, control_of(one)
    return ExperimentFigure(
        one.name,
        one.state.value,
        one.started_at,
        one.shares_since,
        one.stopped_at,
        one.actor,
        one.reason,
        one.stopped_because,
        tuple(
            ArmFigure(arm.name, arm.model, arm.version, arm.is_shadow, arm.name == control, shares.get(arm.name))
            for arm in one.arms
        ),
        max(1.0 - sum(shares.values()), 0.0),
    )
