"""Which feature set each purchase is scored from, and the lookup: a model reads the set that it was trained on.

A set that a model needs is followed before the model scores (see `following_sets`), so that a promotion moves model and
features together; while another set rolls out, a model goes on reading its own, bit for bit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import BnplFeaturesError
from bnpl_features.risk_model.model import Model
from bnpl_features.scoring.experiments.assignment import Assignments
from bnpl_features.scoring.models import ActiveModels
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.reading.lookup import Answer, ServedVersion

_LOG = logging.getLogger("bnpl_features.scoring")


@dataclass(frozen=True, slots=True)
class Found:
    """A customer's features and the layout of their version (None where that is not known); `warning` says what whoever
    reads the set should know of it."""

    answer: Answer
    layout: Layout | None
    warning: str = ""


def following_sets(
    look: Callable[[], ActiveModels | None], follow: Callable[[str], ServedVersion | None]
) -> Callable[[], ActiveModels | None]:
    """`look`, and before it hands out other models every set that one of them was trained on is followed."""

    def models() -> ActiveModels | None:
        found = look()
        for name in sorted(found.feature_sets) if found else ():
            try:
                if follow(name) is None:
                    _LOG.warning("nothing of feature set %s is published, which a model was trained on", name)
            except BnplFeaturesError as error:
                _LOG.error("feature set %s cannot be read yet: %s", name, error)
        return found

    return models


def set_of(store: AsyncCustomerFeatureStore, model: Model | None) -> str:
    """The set that a model reads: its own, or, as long as nothing of that is published, the reader's default."""
    default = store.lookups.follower.feature_set
    own = model.inputs.layout.feature_set if model and model.inputs.layout else default
    return own if store.served_of(own) is not None else default


def sets_of(
    store: AsyncCustomerFeatureStore, models: ActiveModels, assignments: Assignments, customer_ids: Sequence[str]
) -> list[str]:
    """The set of each customer's model."""
    champion = set_of(store, models.champion)
    if not assignments.models:
        return [champion] * len(customer_ids)
    found = []
    for customer_id in customer_ids:
        assigned = assignments.of(customer_id)
        model = models.versions.get(assigned.model) if assigned and assigned.model else None
        found.append(set_of(store, model) if model else champion)
    return found


async def look_up(
    store: AsyncCustomerFeatureStore, customer_ids: Sequence[str], feature_sets: Sequence[str]
) -> list[Found]:
    """The customers' features, each of its set; those of one set are all of one version."""
    distinct = dict.fromkeys(feature_sets)
    if len(distinct) == 1:
        return await _of_one_set(store, customer_ids, feature_sets[0])
    positions = {name: [n for n, own in enumerate(feature_sets) if own == name] for name in distinct}
    parts = await asyncio.gather(
        *[_of_one_set(store, [customer_ids[n] for n in chosen], name) for name, chosen in positions.items()]
    )
    by_position = {
        n: one
        for chosen, part in zip(positions.values(), parts, strict=True)
        for n, one in zip(chosen, part, strict=True)
    }
    return [by_position[n] for n in range(len(customer_ids))]


async def _of_one_set(store: AsyncCustomerFeatureStore, customer_ids: Sequence[str], feature_set: str) -> list[Found]:
    before = store.served_of(feature_set)
    answers = await store.get_many(customer_ids, feature_set=feature_set)
    served = _version(answers[0], before, store.served_of(feature_set))
    layout = served.manifest.layout if served else None
    warning = served.deprecation if served else ""
    return [Found(answer, layout, warning) for answer in answers]


def _version(answer: Answer, *versions: ServedVersion | None) -> ServedVersion | None:
    """The answer's version: that which was served before the lookup, or after it."""
    return next((one for one in versions if one is not None and one.manifest.version == answer.version), None)
