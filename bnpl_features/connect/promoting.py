"""A promotion on record twice: in the registry with its figures, in the store's audit trail among all other acts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any

from bnpl_features.errors import PromotionRefused, StoreUnavailable
from bnpl_features.store.audit import record_act
from bnpl_features.store.connection import named_errors, url_of
from bnpl_features.store.target import Target

if TYPE_CHECKING:
    from bnpl_features.risk_model.promotion import Promotion
    from bnpl_features.risk_model.registry import Registry
    from bnpl_features.risk_model.training_set import TrainingSet

OpenTarget = Callable[[], AbstractContextManager[Target]]


def promote_on_record(
    open_target: OpenTarget,
    registry: Registry,
    name: str,
    training: TrainingSet,
    *,
    which: str,
    actor: str,
    reason: str,
    **more: Any,
) -> Promotion:
    """`risk_model.promotion.promote`, and an act in the audit trail for what came of it, also of a refusal.

    While the store is down a model can be promoted all the same: the registry has every attempt.
    """
    from bnpl_features.risk_model.promotion import promote

    try:
        made = promote(registry, name, training, which=which, actor=actor, reason=reason, **more)
    except PromotionRefused:
        _record(open_target, f"refuse to promote {name} {which}", actor, reason)
        raise
    _record(open_target, f"promote {name} {made.version}", actor, reason)
    return made


def _record(open_target: OpenTarget, act: str, actor: str, reason: str) -> None:
    with suppress(StoreUnavailable), open_target() as target, named_errors(url_of(target.client)):
        record_act(target.client, target.keyspace, act=act, actor=actor, reason=reason)
