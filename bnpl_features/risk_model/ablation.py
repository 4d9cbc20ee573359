"""What each feature group adds: the behavioural model without it, and the transaction-only model with it alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bnpl_features.features.catalog import GROUPS
from bnpl_features.features.feature import FeatureGroup
from bnpl_features.risk_model.bootstrap import RESAMPLES, Interval
from bnpl_features.risk_model.evaluation import evaluate_scores, score_rows
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.training import BEHAVIOURAL, TRANSACTION_ONLY, train, without_features
from bnpl_features.risk_model.training_set import TrainingSet


@dataclass(frozen=True)
class GroupContribution:
    """Paired differences by metric: what leaving the group out costs, and what having only it gains."""

    group: str
    lost_without: Mapping[str, Interval]
    gained_alone: Mapping[str, Interval]


def ablate(
    training: TrainingSet,
    *,
    resamples: int = RESAMPLES,
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[GroupContribution]:
    """Two models a group, trained as the others are; `lost_without` is all features less those without the group."""
    everything = train(BEHAVIOURAL, training, threads=threads)
    nothing = train(TRANSACTION_ONLY, training, threads=threads)
    found = []
    groups = [group for group in GROUPS if {one.name for one in group.features} & set(training.inputs.behavioural)]
    for done, group in enumerate(groups):
        if progress:
            progress("ablation", done, len(groups))
        own = {feature.name for feature in group.features}
        others = {name for name in training.inputs.behavioural if name not in own}
        scores = {
            name: score_rows(model, training, training.test, threads=threads)
            for name, model in {
                "without": _trained(training, own, group, threads),
                "all": everything,
                "nothing": nothing,
                "alone": _trained(training, others, group, threads),
            }.items()
        }
        differences = evaluate_scores(scores, training, training.test, resamples=resamples).differences
        found.append(GroupContribution(group.name, differences["all - without"], differences["alone - nothing"]))
    return found


def _trained(training: TrainingSet, left_out: set[str], group: FeatureGroup, threads: int) -> Model:
    inputs = without_features(training.inputs, left_out)
    return train(f"{BEHAVIOURAL}/{group.name}", training, inputs, threads=threads)
