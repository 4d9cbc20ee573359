"""The catalogue -> docs/features.md, the reference page that people read."""

from __future__ import annotations

from bnpl_features.derive.layout import LARGEST_RECORD_BYTES, layout_of
from bnpl_features.derive.query import PARTITION_PARAMETER_NOTE
from bnpl_features.features.catalog import GROUPS, SETS, FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup
from bnpl_features.features.storage import Scale

_HEAD = """# Features

Generated from the declarations by `make docs`; do not edit.

{note}

"""

_SET = "- Feature set `{name}`: {count} features, {width} bytes a customer (at most {most}), layout `{fingerprint}`.\n"

_TABLE = """
## {name}

{meaning} Owner: `{owner}`. Table `{table}`, {reads}.

| feature | unit | meaning | bounds | empty | stored as | bytes | largest error |
|---|---|---|---|---|---|---|---|
"""


def reference_page() -> str:
    """Every feature, group by group, after the sets that select them."""
    return _HEAD.format(note=PARTITION_PARAMETER_NOTE) + "".join(map(_set, SETS)) + "".join(map(_group, GROUPS))


def _set(feature_set: FeatureSet) -> str:
    layout = layout_of(feature_set)
    return _SET.format(
        name=feature_set.name,
        count=len(feature_set.features),
        width=layout.width_bytes,
        most=LARGEST_RECORD_BYTES,
        fingerprint=layout.fingerprint,
    )


def _group(group: FeatureGroup) -> str:
    reads = (
        f"computed of {' and '.join(f'`{one.table}`' for one in group.of)}"
        if group.of
        else f"reads {group.look_back.days} days of purchases"
    )
    head = _TABLE.format(name=group.name, meaning=group.meaning, owner=group.owner, table=group.table, reads=reads)
    rows = "".join(_row(feature) for feature in group.features)
    definitions = "\n".join(f"- `{f.name}` (window {f.window}): `{' '.join(f.sql.split())}`" for f in group.features)
    return f"{head}{rows}\nDefinitions, in BigQuery's dialect (`{{column}}`: inside the window):\n\n{definitions}\n"


def _row(feature: Feature) -> str:
    low = "" if feature.lower is None else f"{feature.lower:g}"
    high = "" if feature.upper is None else f"{feature.upper:g}"
    bounds = f"{low}..{high}" if low or high else "any"
    if feature.storage.scale is Scale.NAMES:
        bounds = ", ".join(feature.storage.names)
    empty = "null" if feature.nullable else ("never" if feature.empty is None else f"{feature.empty:g}")
    storage = feature.storage
    span = "" if storage.scale in (Scale.NAMES, Scale.HALF) else f" {storage.low:g}..{storage.high:g}"
    return (
        f"| {feature.name} | {feature.unit} | {feature.meaning} | {bounds} | {empty} | {storage.scale}{span} "
        f"| {storage.width_bytes} | {storage.error_text} |\n"
    )
