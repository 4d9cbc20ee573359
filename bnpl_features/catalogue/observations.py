"""The warehouse and the registry -> what a catalogue shows of each feature today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from bnpl_features import __version__
from bnpl_features.catalogue.entries import Bin, Catalogue, Distribution, Importance, Observed, declared_entries
from bnpl_features.derive.profile import NULL_BIN, bin_labels
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN, profiles_table
from bnpl_features.drift.comparison import FeatureComparison, compare
from bnpl_features.drift.stability import severity
from bnpl_features.errors import RelationMissing
from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup
from bnpl_features.warehouse.warehouse import Labels, Warehouse

if TYPE_CHECKING:
    from bnpl_features.risk_model.model import Model
    from bnpl_features.risk_model.registry import Registry, Version

Thresholds = Mapping[str, tuple[float, float]]
"""Feature -> the stability indices from which it warns, and from which it is an error."""


def declared_catalogue(sets: Sequence[FeatureSet]) -> Catalogue:
    """Only what the declarations say: nothing is connected to."""
    return Catalogue(__version__, tuple(one.name for one in sets), declared_entries(sets))


def live_catalogue(
    sets: Sequence[FeatureSet],
    warehouse: Warehouse,
    registry: Registry,
    *,
    thresholds: Thresholds,
    reference_days: int,
) -> Catalogue:
    """The declarations, with the newest profile of each group and the registered models.

    A group that was never profiled has no distribution, and without a champion there is no importance. Raises what the
    warehouse and the registry raise.
    """
    labels: Labels = {"asset": "catalogue"}
    distributions: dict[str, Distribution] = {}
    for group in dict.fromkeys(group for one in sets for group in one.groups):
        distributions |= _distributions(warehouse, group, thresholds, reference_days, labels)
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
    return Catalogue(declared.release, declared.sets, declared.entries, observed, champion, reference_days)


def _distributions(
    warehouse: Warehouse, group: FeatureGroup, thresholds: Thresholds, reference_days: int, labels: Labels
) -> dict[str, Distribution]:
    newest = newest_partition(warehouse, group, labels)
    if newest is None:
        return {}
    found = compare(warehouse, group, newest, reference_days, labels)
    return {
        feature.name: _distribution(
            feature, found.features[feature.name], newest, thresholds[feature.name], found.has_reference
        )
        for feature in group.features
    }


def newest_partition(warehouse: Warehouse, group: FeatureGroup, labels: Labels) -> date | None:
    """The newest day that was profiled."""
    query = Query(f"SELECT MAX({PARTITION_COLUMN}) AS newest FROM {profiles_table(group).name}")
    try:
        (found,) = [row["newest"] for batch in warehouse.read(query, labels) for row in batch.to_pylist()]
    except RelationMissing:
        return None
    return found.date() if isinstance(found, datetime) else found


def _distribution(
    feature: Feature, found: FeatureComparison, partition: date, limits: tuple[float, float], has_reference: bool
) -> Distribution:
    counted = [found.current.get(position, 0) for position, _ in enumerate(bin_labels(feature))]
    held = [position for position, customers in enumerate(counted) if customers] or [0]
    labelled = list(map(Bin, bin_labels(feature), counted))
    return Distribution(
        partition,
        sum(found.current.values()),
        # What lies outside the values that occur says nothing.
        tuple(labelled if feature.storage.names else labelled[held[0] : held[-1] + 1]),
        found.current.get(NULL_BIN, 0),
        found.stability_index if has_reference else None,
        severity(found.stability_index, *limits),
    )


def _models(registry: Registry) -> list[tuple[Version, Model]]:
    """The versions with an alias, champions first, and of those the model that reads features."""
    from bnpl_features.risk_model.registry import CHAMPION, load_model, versions
    from bnpl_features.risk_model.training import MODEL_NAMES

    found = [one for name in reversed(MODEL_NAMES) for one in versions(registry, name) if one.aliases]
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
