"""Which feature groups exist, and which selections of their features are served together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from bnpl_features.features.category import CATEGORY
from bnpl_features.features.device import DEVICE
from bnpl_features.features.feature import DeclarationError, Feature, FeatureGroup
from bnpl_features.features.risk_evolution import RISK_EVOLUTION
from bnpl_features.features.segment import NEW, SEGMENT, SEGMENT_GROUP, SEGMENTS, Segment
from bnpl_features.features.temporal import TEMPORAL
from bnpl_features.features.volume import VOLUME

PURCHASE_GROUPS: tuple[FeatureGroup, ...] = (VOLUME, TEMPORAL, CATEGORY, DEVICE, RISK_EVOLUTION)
"""Those that are computed of purchases."""

GROUPS: tuple[FeatureGroup, ...] = (*PURCHASE_GROUPS, SEGMENT_GROUP)
"""A group that is computed of others comes after them."""


@dataclass(frozen=True)
class FeatureSet:
    """A named, ordered selection of features: the order is the order of the model's input vector.

    `groups` are those that it draws on, `names` the features in order (none: all of the groups, in their order).
    `is_daily` says that the daily job publishes it; one that is not is published by hand, until a model is ready for
    it. After the day `deprecated_on` nobody should read the set any more: readers, the prediction API and Dagster warn
    as long as somebody does. With `segments` their defaults stand for missing values, and those of the `unknown` one
    for a customer who is not in the store; the set must have the feature `segment` then.
    """

    name: str
    groups: tuple[FeatureGroup, ...]
    names: tuple[str, ...] = ()
    is_daily: bool = True
    deprecated_on: date | None = None
    segments: tuple[Segment, ...] = ()
    unknown: Segment | None = None

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for group in self.groups:
            for feature in group.features:
                if feature.name in seen:
                    raise DeclarationError(
                        f"feature {feature.name} is declared in {seen[feature.name]} and in {group.name}; rename one"
                    )
                seen[feature.name] = group.name
        unknown = [name for name in self.names if name not in seen]
        if unknown or len(set(self.names)) < len(self.names):
            what = f"{unknown[0]} is in none of its groups" if unknown else "a feature is named twice"
            raise DeclarationError(f"feature set {self.name}: {what}; correct its names")
        if self.segments:
            self._check_segments()

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        declared = {feature.name: feature for group in self.groups for feature in group.features}
        return tuple(declared[name] for name in self.names or declared)

    def _check_segments(self) -> None:
        features = {feature.name: feature for feature in self.features}
        if SEGMENT not in features or self.unknown not in self.segments:
            raise DeclarationError(f"feature set {self.name}: give it the feature {SEGMENT}, and the unknown segment")
        for segment in self.segments:
            for name, default in segment.defaults.items():
                if name not in features or name == SEGMENT or not features[name].accepts(default):
                    raise DeclarationError(f"segment {segment.name}: {name} cannot default to {default!r}; correct it")

    @property
    def label(self) -> str:
        """The name as tables and assets can bear it: behavioural@2 is behavioural_2."""
        return re.sub(r"[^a-z0-9_]", "_", self.name)


BEHAVIOURAL = FeatureSet("behavioural@1", PURCHASE_GROUPS)
"""The current set: what models train on and readers read where nothing else is asked for."""

SEGMENTED = FeatureSet("behavioural@2", GROUPS, is_daily=False, segments=SEGMENTS, unknown=NEW)
"""With the customer's segment; not published daily before a model is trained on it."""

SETS: tuple[FeatureSet, ...] = (BEHAVIOURAL, SEGMENTED)
"""Every set that may be published, side by side."""

ALL_FEATURES = FeatureSet("all", GROUPS)
"""Every feature once: the columns of the table that all sets are published from. Not a set to publish."""


def group_named(name: str) -> FeatureGroup:
    """The group called `name`; raises `KeyError` with the names that exist."""
    for group in GROUPS:
        if group.name == name:
            return group
    raise KeyError(f"no feature group {name!r}; there are {', '.join(group.name for group in GROUPS)}")


def set_named(name: str) -> FeatureSet:
    """The set called `name`; raises `KeyError` with the names that exist."""
    for one in SETS:
        if one.name == name:
            return one
    raise KeyError(f"no feature set {name!r}; there are {', '.join(one.name for one in SETS)}")
