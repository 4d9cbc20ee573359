"""Which feature groups exist, and which selections of their features are served together."""

from __future__ import annotations

from dataclasses import dataclass

from bnpl_features.features.category import CATEGORY
from bnpl_features.features.device import DEVICE
from bnpl_features.features.feature import DeclarationError, Feature, FeatureGroup
from bnpl_features.features.risk_evolution import RISK_EVOLUTION
from bnpl_features.features.temporal import TEMPORAL
from bnpl_features.features.volume import VOLUME

GROUPS: tuple[FeatureGroup, ...] = (VOLUME, TEMPORAL, CATEGORY, DEVICE, RISK_EVOLUTION)


@dataclass(frozen=True)
class FeatureSet:
    """A named, ordered selection of features: the order is the order of the model's input vector."""

    name: str
    groups: tuple[FeatureGroup, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for group in self.groups:
            for feature in group.features:
                if feature.name in seen:
                    raise DeclarationError(
                        f"feature {feature.name} is declared in {seen[feature.name]} and in {group.name}; rename one"
                    )
                seen[feature.name] = group.name

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(feature for group in self.groups for feature in group.features)


BEHAVIOURAL = FeatureSet("behavioural@1", GROUPS)


def group_named(name: str) -> FeatureGroup:
    """The group called `name`; raises `KeyError` with the names that exist."""
    for group in GROUPS:
        if group.name == name:
            return group
    raise KeyError(f"no feature group {name!r}; there are {', '.join(group.name for group in GROUPS)}")
