"""Does a group's day look like the days before it? Population stability index by feature."""

import dagster as dg

from assets.feature_groups import group_key
from assets.gate import OVERRIDE_REASON
from assets.partitions import DAILY
from bnpl_features.drift.stability import Severity, severity
from bnpl_features.features.catalog import GROUPS
from bnpl_features.features.feature import FeatureGroup
from checks.comparisons import comparisons
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

OVERRIDE_TAG = "bnpl/drift_override"
"""A run tag whose value is an operator's reason to publish in spite of drift; it lands in the manifest."""


def drift_check(group: FeatureGroup) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=group_key(group),
        name="drift",
        description="Population stability index against trailing days: warns from 0.1, blocks from 0.25 by default.",
        blocking=True,
        partitions_def=DAILY,
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
    ) -> dg.AssetCheckResult:
        thresholds = settings.load().checks
        indices: dict[str, float] = {}
        found: dict[str, Severity] = {}
        compared = False
        for _, comparison in comparisons(context, warehouse, group, thresholds.reference_days):
            compared = compared or comparison.has_reference
            for name, feature in comparison.features.items():
                warn, error = thresholds.drift_thresholds.get(name, (thresholds.drift_warn, thresholds.drift_error))
                index = feature.stability_index
                indices[name] = max(round(index, 4), indices.get(name, 0.0))
                found[name] = max(severity(index, warn, error), found.get(name, Severity.STABLE), key=_rank)
        return _result(indices, found, compared, context.run.tags.get(OVERRIDE_TAG, "").strip())

    return check


def _result(
    indices: dict[str, float], found: dict[str, Severity], compared: bool, override: str
) -> dg.AssetCheckResult:
    drifted = sorted((name for name in found if found[name] is not Severity.STABLE), key=lambda name: -indices[name])
    is_error = any(found[name] is Severity.ERROR for name in drifted)
    metadata: dict[str, object] = {
        "stability_index": dg.MarkdownMetadataValue(_table(indices, found)),
        "largest_index": max(indices.values(), default=0.0),
        "retraining_asked": bool(drifted) and not is_error,
        "drifted_features": drifted,
    }
    if override and is_error:
        metadata[OVERRIDE_REASON] = override
    listed = ", ".join(f"{name} {indices[name]:.2f}" for name in drifted)
    return dg.AssetCheckResult(
        passed=not drifted,
        severity=dg.AssetCheckSeverity.ERROR if is_error and not override else dg.AssetCheckSeverity.WARN,
        description=(f"drifted: {listed}" if drifted else None if compared else "no days to compare with yet"),
        metadata=metadata,
    )


def _table(indices: dict[str, float], found: dict[str, Severity]) -> str:
    rows = "\n".join(f"| {name} | {indices[name]:.4f} | {found[name]} |" for name in sorted(indices, key=indices.get))
    return f"| feature | stability index | verdict |\n|---|---|---|\n{rows}"


def _rank(value: Severity) -> int:
    return list(Severity).index(value)


drift_checks = [drift_check(group) for group in GROUPS]
