"""The warehouse and the registry -> what a catalogue shows of each feature today."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from bnpl_features import __version__
from bnpl_features.catalogue.entries import Bin, Catalogue, Distribution, Importance, Observed, declared_entries
from bnpl_features.derive.profiled import Subject, bin_labels, group_subject
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN
from bnpl_features.drift.examination import Rules, examine_subject
from bnpl_features.drift.findings import INDEX, NEAR, Finding, Severity
from bnpl_features.drift.sketch import Sketch
from bnpl_features.errors import RelationMissing
from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup
from bnpl_features.features.segment import SEGMENTS
from bnpl_features.warehouse.warehouse import Labels, Warehouse

if TYPE_CHECKING:
    from bnpl_features.risk_model.model import Model
    from bnpl_features.risk_model.registry import Registry, Version

_OTHER = "other"
"""The bin of names that the declaration does not have."""


def declared_catalogue(sets: Sequence[FeatureSet]) -> Catalogue:
    """Only what the declarations say: nothing is connected to."""
    return Catalogue(__version__, tuple(one.name for one in sets), declared_entries(sets))


def live_catalogue(sets: Sequence[FeatureSet], warehouse: Warehouse, registry: Registry, rules: Rules) -> Catalogue:
    """The declarations, with the newest profile of each group, examined as the drift check does, and the registered
    models.

    A group that was never profiled has no distribution, and without a champion there is no importance. Raises what the
    warehouse and the registry raise.
    """
    labels: Labels = {"asset": "catalogue"}
    distributions: dict[str, Distribution] = {}
    for group in dict.fromkeys(group for one in sets for group in one.groups):
        distributions |= _distributions(warehouse, group, rules, labels)
    models = _models(registry)
    champion, importances = _importances(models)
    declared = declared_catalogue(sets)
    observed = {
        entry.name: Observed(
            distributions.get(entry.name),
            importances.get(entry.name),
            tuple(_title(version) for version, model in models if entry.name in model.inputs.behavioural),
        )
        for entry in declared.entries
    }
    return Catalogue(declared.release, declared.sets, declared.entries, observed, champion, rules.reference_days)


def _distributions(warehouse: Warehouse, group: FeatureGroup, rules: Rules, labels: Labels) -> dict[str, Distribution]:
    subject = group_subject(group)
    newest = newest_partition(warehouse, subject, labels)
    if newest is None:
        return {}
    examined = examine_subject(warehouse, subject, newest, rules, labels)
    drift = {one.feature: one for one in examined.of_all if one.measure == INDEX and one.reference in NEAR}
    sketches = examined.whole.current.sketches
    return {
        feature.name: _distribution(feature, sketches[feature.name], newest, drift.get(feature.name))
        for feature in group.features
        if feature.name in sketches
    }


def newest_partition(warehouse: Warehouse, subject: Subject, labels: Labels) -> date | None:
    """The newest day that was profiled."""
    query = Query(f"SELECT MAX({PARTITION_COLUMN}) AS newest FROM {subject.table}")
    try:
        (found,) = [row["newest"] for batch in warehouse.read(query, labels) for row in batch.to_pylist()]
    except RelationMissing:
        return None
    return found.date() if isinstance(found, datetime) else found


def _distribution(feature: Feature, sketch: Sketch, partition: date, drift: Finding | None) -> Distribution:
    labels = (*bin_labels(feature), *([_OTHER] if feature.storage.names else []))
    bins = [Bin(label, customers) for label, customers in zip(labels, sketch.histogram, strict=True)]
    if feature.storage.names:
        bins = [one for one in bins if one.label != _OTHER or one.customers]
    else:
        # What lies outside the values that occur says nothing.
        held = [position for position, one in enumerate(bins) if one.customers] or [0]
        bins = bins[held[0] : held[-1] + 1]
    return Distribution(
        partition,
        sketch.row_count,
        tuple(bins),
        sketch.nulls,
        drift.value if drift else None,
        drift.verdict if drift else Severity.STABLE,
    )


def _models(registry: Registry) -> list[tuple[Version, Model]]:
    """The versions with an alias, champions first, and of those the model that reads features."""
    from bnpl_features.risk_model.registry import CHAMPION, load_model, versions
    from bnpl_features.risk_model.training import MODEL_NAMES

    names = [*reversed(MODEL_NAMES), *sorted({one.model for one in SEGMENTS if one.model})]
    found = [one for name in names for one in versions(registry, name) if one.aliases]
    found.sort(key=lambda one: CHAMPION not in one.aliases)
    return [(one, load_model(registry, one.name, str(one.number))) for one in found]


def _title(version: Version) -> str:
    return f"{version.name} {version.number} ({', '.join(version.aliases)})"


def _importances(models: Sequence[tuple[Version, Model]]) -> tuple[str, dict[str, Importance]]:
    """Those of the champion that reads features: LightGBM's gain, the loss that splits on an input took away."""
    from bnpl_features.risk_model.registry import CHAMPION

    for version, model in models:
        if CHAMPION not in version.aliases or not model.inputs.behavioural:
            continue
        gains = dict(zip(model.inputs.names, model.booster.feature_importance("gain").tolist(), strict=True))
        total = sum(gains.values()) or 1.0
        ranked = sorted(gains, key=lambda name: -gains[name])
        return _title(version), {
            name: Importance(gains[name] / total, ranked.index(name) + 1, len(ranked))
            for name in model.inputs.behavioural
        }
    return "", {}
