"""Which version scores: a challenger becomes champion only through the gate, and every attempt is on record.

A segment's first champion is set against the behavioural one, whose customers it takes over.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bnpl_features.errors import PromotionRefused
from bnpl_features.risk_model.bootstrap import RESAMPLES, Report, to_nobody
from bnpl_features.risk_model.gate import Finding, examine
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.registry import (
    CHALLENGER,
    CHAMPION,
    Registry,
    experiment_id,
    load_model,
    named_errors,
    version_of,
    versions,
)
from bnpl_features.risk_model.training import BEHAVIOURAL, MODEL_NAMES
from bnpl_features.risk_model.training_set import TrainingSet

PROMOTED, FORCED, REFUSED = "promoted", "forced", "refused"
_AUDIT = "promotions"


@dataclass(frozen=True)
class Promotion:
    """What an attempt came to. `previous` is the champion's number before it, None where there was none."""

    name: str
    version: int
    previous: int | None
    outcome: str
    findings: tuple[Finding, ...]
    objections: tuple[str, ...]


def promote(
    registry: Registry,
    name: str,
    training: TrainingSet,
    *,
    which: str = CHALLENGER,
    actor: str,
    reason: str,
    force: bool = False,
    resamples: int = RESAMPLES,
    threads: int = 1,
    report: Report = to_nobody,
) -> Promotion:
    """Make a version the champion if the gate lets it pass, and write down the attempt with all its figures.

    `force` passes the gate by; the reason then has to say why. Raises `PromotionRefused` with the figures, and
    `ModelMissing` where there is no such version.
    """
    if not reason.strip():
        raise PromotionRefused(f"{name} was not promoted: a promotion needs a reason; give one")
    challenger, against, previous = _candidates(registry, name, which)
    findings, objections = examine(challenger, against, training, resamples=resamples, threads=threads, report=report)
    outcome = PROMOTED if not objections else FORCED if force else REFUSED
    attempt = Promotion(name, challenger.version, previous, outcome, findings, objections)
    with named_errors(registry.url):
        run_id = _record(registry, attempt, training, actor, reason)
        if outcome != REFUSED:
            _switch(registry, attempt)
        registry.client.set_terminated(run_id)
    if outcome == REFUSED:
        raise PromotionRefused(
            f"version {challenger.version} of {name} was not promoted, the champion stays:\n- "
            + "\n- ".join(objections)
            + "\ntrain on newer or more purchases; or promote with --force, whose reason is kept"
        )
    return attempt


def try_gate(
    registry: Registry,
    name: str,
    training: TrainingSet,
    *,
    which: str = CHALLENGER,
    resamples: int = RESAMPLES,
    threads: int = 1,
    report: Report = to_nobody,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """What the gate would say now, as `examine` does: nothing is changed, and nothing recorded."""
    challenger, against, _ = _candidates(registry, name, which)
    return examine(challenger, against, training, resamples=resamples, threads=threads, report=report)


def promotions(registry: Registry, most: int = 50) -> list[dict[str, str]]:
    """The attempts on record, newest first: at, model, version, previous, outcome, actor, reason."""
    with named_errors(registry.url):
        runs = registry.client.search_runs([experiment_id(registry, _AUDIT)], max_results=most)
    return [
        {"at": str(run.info.start_time / 1000)}
        | {key: run.data.tags.get(key, "") for key in ("model", "version", "previous", "outcome", "actor", "reason")}
        for run in runs
    ]


def _switch(registry: Registry, attempt: Promotion) -> None:
    registered = registry.registered_name(attempt.name)
    registry.client.set_registered_model_alias(registered, CHAMPION, str(attempt.version))
    if CHALLENGER in version_of(registry, attempt.name, str(attempt.version)).aliases:
        registry.client.delete_registered_model_alias(registered, CHALLENGER)


def _candidates(registry: Registry, name: str, which: str) -> tuple[Model, Model | None, int | None]:
    """The version that is to be champion, the model that scores those customers now, and the champion's number."""
    challenger, champion = load_model(registry, name, which), _champion(registry, name)
    if champion and champion.version == challenger.version:
        raise PromotionRefused(f"version {champion.version} of {name} is the champion already; choose another version")
    of_all = None if champion or name in MODEL_NAMES else _champion(registry, BEHAVIOURAL)
    return challenger, champion or of_all, champion.version if champion else None


def _champion(registry: Registry, name: str) -> Model | None:
    """None where there is none; one whose files cannot be read is an error, not a missing one."""
    there_is_one = any(CHAMPION in one.aliases for one in versions(registry, name))
    return load_model(registry, name, CHAMPION) if there_is_one else None


def _record(registry: Registry, attempt: Promotion, training: TrainingSet, actor: str, reason: str) -> str:
    """A run of its own, open until the alias is set: an attempt that was killed between stays visible."""
    tags: Mapping[str, Any] = {
        "model": attempt.name,
        "version": attempt.version,
        "previous": "" if attempt.previous is None else attempt.previous,
        "outcome": attempt.outcome,
        "actor": actor,
        "reason": reason,
        "training_set": training.fingerprint,
        "objections": json.dumps(attempt.objections),
        "findings": json.dumps([str(finding) for finding in attempt.findings]),
    }
    run = registry.client.create_run(
        experiment_id(registry, _AUDIT),
        start_time=int(time.time() * 1000),
        tags={key: str(value) for key, value in tags.items()},
        run_name=f"{attempt.name} {attempt.version} {attempt.outcome}",
    )
    return str(run.info.run_id)
