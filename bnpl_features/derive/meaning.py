"""A feature -> what it means, in parts short enough to compare and to read in a diff: its fingerprint.

Left out is what changes no value: the sentence for people, the owner, the direction that models are held to.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import Feature, FeatureGroup, Value
from bnpl_features.features.storage import Scale

SQL = "sql"
"""The part that a mere rewording changes as well: a digest of all SQL that the value comes of."""

_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_DIGEST_BYTES = 6

Parts = Mapping[str, str]
"""Name of a part -> what it is, in a few characters."""


def feature_parts(feature: Feature, group: FeatureGroup) -> dict[str, str]:
    """What a feature means."""
    bounds = [("" if bound is None else f"{bound:g}") for bound in (feature.lower, feature.upper)]
    return {
        SQL: digest_of(_sql(feature, group)),
        "window": str(feature.window),
        "type": feature.kind.value,
        "unit": feature.unit,
        "bounds": "..".join(bounds),
        "empty": "null" if feature.nullable else "never" if feature.empty is None else _text(feature.empty),
        "default": _text(feature.default),
        "stored": _stored(feature),
    }


def set_fingerprint(feature_set: FeatureSet) -> str:
    """12 hex digits over the names, in order, what each means, and what stands for missing values."""
    parts = {f.name: feature_parts(f, group) for group in feature_set.groups for f in group.features}
    features = [[feature.name, parts[feature.name]] for feature in feature_set.features]
    return digest_of([features, defaults_digest(feature_set)] if feature_set.segments else features)


def defaults_digest(feature_set: FeatureSet) -> str:
    """What the set serves for missing values, by segment; empty where it has no segments."""
    if not feature_set.segments or feature_set.unknown is None:
        return ""
    by_segment = {one.name: dict(one.defaults) for one in feature_set.segments if one.defaults}
    return digest_of([feature_set.unknown.name, by_segment])


def digest_of(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _sql(feature: Feature, group: FeatureGroup) -> list[object]:
    """The feature's own SQL, the group's rows and columns that reach it, and how many days those look at."""
    reached = set(_WORD.findall(f"{feature.sql} {group.rows}"))
    pending = set(reached)
    while pending:
        new = set(_WORD.findall(group.purchase.get(pending.pop(), ""))) - reached
        reached |= new
        pending |= new
    columns = {name: _plain(sql) for name, sql in group.purchase.items() if name in reached}
    looks_around = group.rows or any(" OVER " in sql for sql in columns.values())
    return [_plain(feature.sql), _plain(group.rows), columns, group.look_back.days if looks_around else 0]


def _plain(sql: str) -> str:
    return " ".join(sql.split())


def _stored(feature: Feature) -> str:
    storage = feature.storage
    width = f"{storage.width_bytes} byte{'s' if storage.width_bytes > 1 else ''}"
    if storage.scale is Scale.NAMES:
        return f"{', '.join(storage.names)}; {width}"
    span = "" if storage.scale in (Scale.HALF, Scale.EXACT) else f" {storage.low:g}..{storage.high:g}"
    return f"{storage.scale.value}{span}, {width}"


def _text(value: Value) -> str:
    return "null" if value is None else f"{value:g}" if isinstance(value, (int, float)) else value
