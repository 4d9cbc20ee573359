"""The decision: a purchase, the store's answer and the models at hand -> a prediction. No transport, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import msgspec
import numpy as np

from bnpl_features.derive.layout import Layout
from bnpl_features.features.velocity import MEAN_FEATURE
from bnpl_features.risk_model.encoding import Floats32
from bnpl_features.risk_model.model import Model
from bnpl_features.scoring.decision import Bands, Decision
from bnpl_features.scoring.experiments.assignment import Assigned
from bnpl_features.scoring.fallback import Action, Policy
from bnpl_features.scoring.models import BEHAVIOURAL, TRANSACTION_ONLY, ActiveModels
from bnpl_features.scoring.purchase import Identified, columns_of
from bnpl_features.scoring.reasons import Reason, reasons_of
from bnpl_features.store.reading.lookup import Answer
from bnpl_features.store.velocity.answer import VelocityStatus

CHAMPION = "champion"
"""The arm of a customer who is in no experiment."""

LAYOUT, MODEL_MISSING, REFUSED = "layout", "model_missing", "refused"
"""Fallbacks beside the store's statuses: the features served lack what the model reads; there is no such model at hand;
the policy gives no score."""

VELOCITY_FALLBACK = "velocity_{}"
"""The velocity model was meant, but velocity is stale or unavailable: the behavioural one scores."""

NO_VELOCITY = "not_read"
"""The velocity status where the store was not asked for it."""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What the checkout gets. `probability` is null where the policy gives no score; then the decision is `review`.
    `feature_set` is that which the features were read from; `warnings` are for whoever runs the service."""

    request_id: str
    transaction_id: str
    probability: float | None
    decision: Decision
    reasons: tuple[Reason, ...]
    model: str | None
    model_version: int | None
    experiment: str | None
    arm: str
    feature_status: str
    feature_version: int | None
    feature_partition: date | None
    velocity_status: str
    fallback: str | None
    feature_set: str | None
    segment: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class SegmentRules:
    """What is particular to a segment's customers: their model's name, their thresholds; None: as for everybody."""

    model: str | None = None
    bands: Bands | None = None


EVERYBODY = SegmentRules()


@dataclass(frozen=True)
class Rules:
    """What is configured: thresholds and fallbacks; and what is declared of segments."""

    bands: Bands = field(default_factory=Bands)
    policy: Policy = field(default_factory=Policy)
    segments: Mapping[str, SegmentRules] = field(default_factory=dict)


class Reasons(StrEnum):
    """For which purchases reasons are given."""

    NOT_APPROVED = "not_approved"
    ALL = "all"
    NONE = "none"


class NoModel(Exception):
    """No model at all is at hand."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A prediction without its reasons, and what they would be computed from."""

    prediction: Prediction
    model: Model | None
    columns: Mapping[str, object]
    vector: Floats32 | None


def score(
    request_id: str,
    purchase: Identified,
    answer: Answer,
    layout: Layout | None,
    models: ActiveModels,
    rules: Rules,
    assigned: Assigned | None = None,
    warning: str = "",
) -> Scored:
    """Tens of microseconds; `layout` is that of the answer's version, None where that is not known; `warning` is what
    is to be said of its feature set.

    Raises `NoModel`, and `ModelInputError` for a purchase that the model refuses.
    """
    segment = answer.segment
    particular = rules.segments.get(segment, EVERYBODY) if segment else EVERYBODY
    model, vector, fallback = choose(answer, layout, models, rules.policy, assigned, particular.model)
    columns = columns_of(purchase)
    if model and vector is not None and model.inputs.velocity:
        vector = np.concatenate([vector, _velocity(model, answer, columns["amount"])])
    probability = model.score_one(columns, vector) if model else None
    prediction = Prediction(
        request_id=request_id,
        transaction_id=purchase.transaction_id,
        probability=probability,
        decision=Decision.REVIEW if probability is None else (particular.bands or rules.bands).decision(probability),
        reasons=(),
        model=model.name if model else None,
        model_version=model.version if model else None,
        experiment=assigned.experiment if assigned else None,
        arm=assigned.arm if assigned else CHAMPION,
        feature_status=answer.status.value,
        feature_version=answer.version,
        feature_partition=answer.partition_date,
        velocity_status=_velocity_status(answer),
        fallback=fallback,
        feature_set=layout.feature_set if layout else None,
        segment=segment,
        warnings=(warning,) if warning else (),
    )
    return Scored(prediction, model, columns, vector)


def reasons_are_due(scored: Scored, reasons: Reasons) -> bool:
    """Whether the prediction has to say why: where somebody may have to be told that it was not approved."""
    if scored.model is None or reasons is Reasons.NONE:
        return False
    return reasons is Reasons.ALL or scored.prediction.decision is not Decision.APPROVE


def explained(scored: Scored) -> Prediction:
    """The prediction with its reasons: about a millisecond, so only where they are due."""
    if scored.model is None:
        return scored.prediction
    contributions = scored.model.contributions(scored.columns, scored.vector)
    return msgspec.structs.replace(scored.prediction, reasons=reasons_of(contributions))


def choose(
    answer: Answer,
    layout: Layout | None,
    models: ActiveModels,
    policy: Policy,
    assigned: Assigned | None,
    of_segment: str | None = None,
) -> tuple[Model | None, Floats32 | None, str | None]:
    """The model that scores (None: no score), the daily features that it takes, and why it is not the one meant.
    `of_segment` is the name of the segment's own model, which scores where there is a champion of that name.

    In steps: with velocity, with daily features only, with the transaction only. Raises `NoModel` where there is none
    to fall back to.
    """
    wanted, missing = _wanted(models, assigned, of_segment)
    action = policy.action(answer.status)
    fallback: str | None
    if wanted is None:
        fallback = MODEL_MISSING
    elif wanted.inputs.layout is None:
        return wanted, None, missing
    elif action is Action.REFUSE:
        return None, None, REFUSED
    elif action is Action.TRANSACTION_ONLY:
        fallback = answer.status.value
    else:
        if wanted.inputs.velocity and _velocity_status(answer) != VelocityStatus.FRESH:
            missing = VELOCITY_FALLBACK.format(_velocity_status(answer))
            wanted = models.champions.get(BEHAVIOURAL)
        if wanted is None or wanted.inputs.layout is None:
            return _spare(models), None, missing
        reading = models.reading(wanted, layout or wanted.inputs.layout) if _is_readable(answer, layout) else None
        if reading is not None:
            return wanted, reading(answer.values), missing
        fallback = LAYOUT
    return _spare(models), None, fallback


def _spare(models: ActiveModels) -> Model:
    spare = models.champions.get(TRANSACTION_ONLY)
    if spare is None:
        raise NoModel
    return spare


def _wanted(models: ActiveModels, assigned: Assigned | None, of_segment: str | None) -> tuple[Model | None, str | None]:
    """An arm's model comes before that of a segment, and that before the champion of all."""
    champion = (models.champions.get(of_segment) if of_segment else None) or models.champion
    if assigned is None or assigned.model is None:
        return champion, None
    found = models.versions.get(assigned.model)
    return (found, None) if found else (champion, MODEL_MISSING)


def _velocity_status(answer: Answer) -> str:
    return answer.velocity.status.value if answer.velocity else NO_VELOCITY


def _velocity(model: Model, answer: Answer, amount: object) -> Floats32:
    """In the model's order; a feature that this release does not declare is null."""
    assert answer.velocity is not None
    mean = answer[MEAN_FEATURE] if MEAN_FEATURE in answer.names else None
    amount_usd = amount if isinstance(amount, (int, float)) else None
    found = answer.velocity.as_dict(amount_usd, mean if isinstance(mean, float) else None)
    return np.array([found.get(name) for name in model.inputs.velocity], dtype=np.float32)  # None becomes NaN


def _is_readable(answer: Answer, layout: Layout | None) -> bool:
    """Whether the answer's values are in the layout's order: without a version they are the catalogue's defaults."""
    return layout is not None and answer.names == layout.names
