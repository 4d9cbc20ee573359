"""What a catalogue says: an entry a feature, from its declaration, and what was observed of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from bnpl_features.drift.findings import Severity
from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup
from bnpl_features.features.storage import Scale

_RISK = {1: "default never less likely as it rises", -1: "default never more likely as it rises", 0: "none expected"}
_WORD = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True)
class Entry:
    """What the declaration says of a feature, as a person reads it.

    `derived` are the columns and rows that `sql` builds on, name -> SQL; `sets` the feature sets that hold the feature;
    `segments` those whose rule reads it, or that have a default of their own for it.
    """

    name: str
    group: str
    meaning: str
    owner: str
    unit: str
    window: str
    sql: str
    derived: Mapping[str, str]
    bounds: str
    null: str
    unknown_customer: str
    is_nullable: bool
    storage: str
    stored_in_bytes: int
    largest_error: str
    risk_direction: str
    since: str
    sets: tuple[str, ...]
    segments: tuple[str, ...]


@dataclass(frozen=True)
class Bin:
    """Customers whose value lies in one bin; `label` says which values those are."""

    label: str
    customers: int


@dataclass(frozen=True)
class Distribution:
    """A feature's values in a partition; `stability_index` against the days before, None where there are none."""

    partition: date
    customers: int
    bins: tuple[Bin, ...]
    nulls: int
    stability_index: float | None
    severity: Severity


@dataclass(frozen=True)
class Importance:
    """What splits on the feature gained, of all that the champion's splits gained (0..1), and its place from 1."""

    gain_share: float
    place: int
    inputs: int


@dataclass(frozen=True)
class Observed:
    """What the warehouse and the registry know of a feature; `models` are those that read it."""

    distribution: Distribution | None = None
    importance: Importance | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """All entries in the order of the sets; nothing `observed` where only the declarations were asked for.

    `champion` is the model that importances are of; `reference_days` are what drift is measured against.
    """

    release: str
    sets: tuple[str, ...]
    entries: tuple[Entry, ...]
    observed: Mapping[str, Observed] = field(default_factory=dict)
    champion: str = ""
    reference_days: int = 0


def declared_entries(sets: Sequence[FeatureSet]) -> tuple[Entry, ...]:
    """One entry a feature, whichever sets hold it."""
    found: dict[str, Entry] = {}
    for feature_set in sets:
        for group in feature_set.groups:
            for feature in group.features:
                holding = tuple(one.name for one in sets if feature in one.features)
                found.setdefault(feature.name, _entry(feature, group, holding, _segments(feature, sets)))
    return tuple(found.values())


def _entry(feature: Feature, group: FeatureGroup, sets: tuple[str, ...], segments: tuple[str, ...]) -> Entry:
    storage = feature.storage
    span = "" if storage.scale in (Scale.NAMES, Scale.HALF) else f" {storage.low:g} to {storage.high:g}"
    return Entry(
        name=feature.name,
        group=group.name,
        meaning=feature.meaning,
        owner=group.owner,
        unit=feature.unit,
        window=f"{feature.window.days} days",
        sql=feature.sql,
        derived=_derived(feature, group),
        bounds=_bounds(feature),
        null=_null(feature),
        unknown_customer="null" if feature.default is None else str(feature.default),
        is_nullable=feature.nullable,
        storage=f"{storage.scale}{span}",
        stored_in_bytes=storage.width_bytes,
        largest_error=storage.error_text,
        risk_direction=_RISK[feature.risk_direction],
        since=feature.since,
        sets=sets,
        segments=segments,
    )


def _segments(feature: Feature, sets: Sequence[FeatureSet]) -> tuple[str, ...]:
    declared = dict.fromkeys(segment for one in sets for segment in one.segments)
    return tuple(one.name for one in declared if feature.name in {*_WORD.findall(one.rule), *one.defaults})


def _derived(feature: Feature, group: FeatureGroup) -> dict[str, str]:
    """The group's rows where it has any, and the purchase's columns that the definition needs, however indirectly."""
    waiting, found = [feature.sql, group.rows], {"rows": group.rows.strip()} if group.rows else {}
    while waiting:
        for word in _WORD.findall(waiting.pop()):
            if word in group.purchase and word not in found:
                found[word] = group.purchase[word]
                waiting.append(group.purchase[word])
    return found


def _bounds(feature: Feature) -> str:
    if feature.storage.names:
        return "one of " + ", ".join(feature.storage.names)
    if feature.lower is None and feature.upper is None:
        return "any number"
    if feature.upper is None:
        return f"at least {feature.lower:g}"
    return f"at most {feature.upper:g}" if feature.lower is None else f"{feature.lower:g} to {feature.upper:g}"


def _null(feature: Feature) -> str:
    if feature.nullable:
        return "null where the window gives no value"
    return "never null" if feature.empty is None else f"never null; {feature.empty:g} where the window is empty"
