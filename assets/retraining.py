"""What a retraining comes to: the challengers beside the champions, then a promotion or a trial, as configured."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.failures import library_errors
from assets.metadata import fingerprint
from assets.training import OWNERS, TRAINING_POOL
from bnpl_features.connect.models import model_registry
from bnpl_features.connect.promoting import promote_on_record
from bnpl_features.connect.serving import open_shelf
from bnpl_features.errors import PromotionRefused
from bnpl_features.retraining.trial import ACTOR, Mode, begin_trial
from bnpl_features.risk_model.gate import AGAINST_RULES, CRITERIA, Finding, examine
from bnpl_features.risk_model.registry import CHAMPION, Registry, load_model, version_of, versions
from bnpl_features.risk_model.training_set import TrainingSet, read_training_set
from bnpl_features.settings import ModelSettings
from resources.settings import SettingsResource
from resources.store import StoreResource

RETRAINING_GROUP = "retraining"
REASON_TAG = "bnpl/retraining_reason"
FEATURES_TAG = "bnpl/drifted_features"
"""Tags of a run: why the models are trained again, and the features that drifted, separated by spaces."""

TRIED = "behavioural"
"""The model whose challenger is tried on live purchases; the other one only stands in where features are missing."""


@dg.asset(
    description="The promotion gate's report on each new challenger beside its champion, on later purchases.",
    group_name=RETRAINING_GROUP,
    owners=OWNERS,
    kinds={"python"},
    code_version=fingerprint(str((CRITERIA, AGAINST_RULES))),
    pool=TRAINING_POOL,
)
def champion_comparison(settings: SettingsResource, training_set: str, registered_models: dict) -> dg.Output[dict]:
    """Hands on the gate's objections to each model's challenger; an empty list lets it pass."""
    chosen = settings.load().model
    metadata: dict[str, Any] = {}
    objections: dict[str, list[str]] = {}
    with library_errors():
        registry = model_registry(chosen)
        training = _training_set(chosen, training_set)
        for name, number in registered_models.items():
            champion = load_model(registry, name, CHAMPION) if _has_champion(registry, name) else None
            findings, against = examine(
                load_model(registry, name, str(number)),
                champion,
                training,
                resamples=chosen.resamples,
                threads=chosen.threads,
            )
            objections[name] = list(against)
            beside = f"champion {champion.version}" if champion else "the rules: there is no champion"
            metadata |= {
                f"{name}_compared": f"{name} {number} beside {beside}",
                f"{name}_may_be_promoted": not against,
                f"{name}_objections": list(against),
                f"{name}_findings": dg.MetadataValue.md(_table(findings)),
            }
    return dg.Output(objections, metadata=metadata)


@dg.asset(
    description="The challenger promoted or on trial, as the settings say; by default a shadow that is only logged.",
    group_name=RETRAINING_GROUP,
    owners=OWNERS,
    kinds={"python"},
    code_version="1",
    pool=TRAINING_POOL,
)
def challenger_trial(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    store: StoreResource,
    training_set: str,
    registered_models: dict,
    champion_comparison: dict,
) -> dg.MaterializeResult:
    loaded = settings.load()
    chosen, reason = loaded.retraining, context.run.tags.get(REASON_TAG) or "started by hand"
    with library_errors():
        registry = model_registry(loaded.model)
        if chosen.auto_promote:
            training = _training_set(loaded.model, training_set)
            asked = (loaded.model, training, registered_models, champion_comparison, reason)
            promoted = _promoted(store, registry, *asked)
        else:
            promoted = {}
        metadata: dict[str, Any] = {"reason": reason, "promoted": promoted or "none"}
        if TRIED in promoted:
            return dg.MaterializeResult(
                metadata=metadata | {"trial": f"none: {TRIED} {promoted[TRIED]} is the champion"}
            )
        if not _has_champion(registry, TRIED):
            return dg.MaterializeResult(
                metadata=metadata | {"trial": f"none: {TRIED} has no champion to be tried beside"}
            )
        with open_shelf(loaded.scoring, loaded.store) as shelf:
            trial = begin_trial(
                shelf,
                version_of(registry, TRIED, str(registered_models[TRIED])),
                Mode(chosen.mode),
                share=chosen.share,
                objections=tuple(champion_comparison[TRIED]),
                salt=secrets.token_hex(8),
                now=time.time(),
                reason=reason,
            )
    metadata |= {"trial": f"{trial.mode}: {trial.because}", "experiment": trial.experiment or "none"}
    return dg.MaterializeResult(metadata=metadata)


retraining_assets = [champion_comparison, challenger_trial]


def _promoted(
    store: StoreResource,
    registry: Registry,
    settings: ModelSettings,
    training: TrainingSet,
    numbers: Mapping[str, int],
    objections: Mapping[str, list[str]],
    reason: str,
) -> dict[str, int]:
    """The challengers to which the gate did not object, champions now."""
    promoted = {}
    for name in (name for name, against in objections.items() if not against):
        try:
            attempt = promote_on_record(
                store.open,
                registry,
                name,
                training,
                which=str(numbers[name]),
                actor=ACTOR,
                reason=reason,
                resamples=settings.resamples,
                threads=settings.threads,
            )
        except PromotionRefused:
            # Somebody promoted another one meanwhile; the attempt is on record with its figures.
            continue
        promoted[name] = attempt.version
    return promoted


def _has_champion(registry: Registry, name: str) -> bool:
    return any(CHAMPION in one.aliases for one in versions(registry, name))


def _training_set(settings: ModelSettings, fingerprint: str) -> TrainingSet:
    return read_training_set(settings.training_sets / fingerprint)


def _table(findings: tuple[Finding, ...]) -> str:
    head = "| metric | before | challenger | difference | allowed loss | |\n|---|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {one.metric} | {one.champion:.4g} | {one.challenger:.4g} | {one.difference} | {one.allowed_loss:.4g} "
        f"| {'holds' if one.passed else '**does not hold**'} |"
        for one in findings
    )
