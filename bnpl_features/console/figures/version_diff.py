"""Two versions side by side: what was published, in which layout, and how the features of their days differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bnpl_features.console.figures.versions import VersionFigures, version_story
from bnpl_features.console.parts import Parts
from bnpl_features.derive.profile import ALL
from bnpl_features.derive.profiled import group_subject
from bnpl_features.drift.findings import Severity, severity
from bnpl_features.drift.measures import population_stability_index
from bnpl_features.drift.profiles import Sketches, read_profiles
from bnpl_features.drift.sketch import Sketch
from bnpl_features.errors import RelationMissing, VersionMissing
from bnpl_features.features.catalog import ALL_FEATURES, GROUPS
from bnpl_features.features.feature import Kind
from bnpl_features.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Difference:
    """One thing that the two versions say; equal ones are part of the picture as well."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class FeatureShift:
    """How a feature's values differ between the partitions; means are None of names, and where nobody has a value."""

    feature: str
    mean_before: float | None
    mean_after: float | None
    null_share_before: float
    null_share_after: float
    stability_index: float
    severity: Severity


@dataclass(frozen=True)
class VersionDiff:
    before: VersionFigures
    after: VersionFigures
    differences: tuple[Difference, ...]


def version_diff(parts: Parts, before: int, after: int) -> VersionDiff:
    """Raises `VersionMissing` where there is no trace of one of them, `StoreUnavailable`."""
    first, second = version_story(parts, before).version, version_story(parts, after).version
    said, other = _said(first), _said(second)
    names = dict.fromkeys((*said, *other))
    return VersionDiff(
        first, second, tuple(Difference(name, said.get(name, ""), other.get(name, "")) for name in names)
    )


def feature_shifts(parts: Parts, before: int, after: int) -> tuple[FeatureShift, ...]:
    """From the profiles of the two partitions, the largest shift first.

    Raises `VersionMissing` where a partition is not known or was not profiled, and what the warehouse raises.
    """
    days = tuple(version_story(parts, number).version.partition_date for number in (before, after))
    first, second = days
    if first is None or second is None:
        raise VersionMissing("one of the versions has no manifest any more, so its partition is not known")
    warehouse = parts.warehouse()
    old, new = (_sketches(warehouse, day) for day in (first, second))
    missing = [str(day) for day, found in zip(days, (old, new), strict=True) if not found]
    if missing:
        raise VersionMissing(f"{' and '.join(missing)} was not profiled; run its partition again in Dagster")
    checks = parts.settings.checks
    shifts = [
        _shift(name, old, new, *checks.drift_thresholds.get(name, (checks.drift_warn, checks.drift_error)))
        for name in old
        if name in new
    ]
    return tuple(sorted(shifts, key=lambda one: -one.stability_index))


_NAMED = {one.name for one in ALL_FEATURES.features if one.kind is Kind.NAME}


def _sketches(warehouse: Warehouse, day: date) -> Sketches:
    found: dict[str, Sketch] = {}
    for group in GROUPS:
        try:
            profiles = read_profiles(warehouse, group_subject(group), day, day, {"asset": "console"})
        except RelationMissing:
            continue
        found |= profiles.get(day, {}).get(ALL, {})
    return found


def _shift(name: str, old: Sketches, new: Sketches, warn: float, error: float) -> FeatureShift:
    before, after = old[name], new[name]
    index = population_stability_index(before.bins, after.bins)
    mean_before, mean_after = (None if name in _NAMED or not one.present else one.mean for one in (before, after))
    found = severity(index, warn, error)
    return FeatureShift(name, mean_before, mean_after, before.null_share, after.null_share, index, found)


def _said(version: VersionFigures) -> dict[str, str]:
    """By name, as text; nothing of a version without a manifest but its state."""
    manifest = version.manifest
    if manifest is None:
        return {"state": version.state}
    fields = {one.name: f"{one.kind.value}, {one.storage.width_bytes} B" for one in manifest.layout.fields}
    return {
        "feature set": version.feature_set,
        "state": version.state,
        "partition": str(version.partition_date),
        "customers": f"{version.customers:,}",
        "erased customers": f"{manifest.erased:,}",
        "published by": version.actor,
        "run": version.run_id,
        "code version": version.code_version,
        "layout": manifest.layout.fingerprint,
        "customer key check": manifest.key_check,
        "buckets": f"{manifest.buckets:,}",
        "saturated values": f"{sum(manifest.saturated.values()):,}",
        "checks not passed": ", ".join(version.not_passed) or "none",
        "overrides": ", ".join(f"{name}: {why}" for name, why in version.overrides.items()) or "none",
        **{f"feature {name}": said for name, said in fields.items()},
    }
