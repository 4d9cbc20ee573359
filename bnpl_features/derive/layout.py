"""A feature set -> the record: which code lies at which byte, and a fingerprint of that agreement.

    byte 0        tag: the first byte of the layout's fingerprint
    byte 1 ...    one code of one or two bytes (little-endian) a feature, in the set's order

A record is readable only with its layout; the manifest of a version carries the layout in full, so a reader needs no
code of the publisher's release.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.feature import Kind, Value
from bnpl_features.features.storage import Storage

LARGEST_RECORD_BYTES = 64
"""A longer value turns a hash bucket from a listpack into a table, which takes twice the memory."""

TAG_BYTES = 1


@dataclass(frozen=True)
class Field:
    """One feature in a record."""

    name: str
    kind: Kind
    storage: Storage
    default: Value

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "storage": self.storage.to_json(),
            "default": self.default,
        }


@dataclass(frozen=True)
class SegmentDefaults:
    """What stands for missing values of a segment's customers: pairs of feature and value."""

    segment: str
    values: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Layout:
    """The fields of a record, in order, and what stands for missing values, by the segment that the record names."""

    feature_set: str
    fields: tuple[Field, ...]
    segments: tuple[SegmentDefaults, ...] = ()

    def __post_init__(self) -> None:
        if self.width_bytes > LARGEST_RECORD_BYTES:
            raise LayoutMismatch(
                f"a record of {self.feature_set} takes {self.width_bytes} bytes, more than {LARGEST_RECORD_BYTES}; "
                "use narrower storage or split the feature set"
            )

    @cached_property
    def width_bytes(self) -> int:
        return TAG_BYTES + sum(field.storage.width_bytes for field in self.fields)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        offsets, position = [], TAG_BYTES
        for field in self.fields:
            offsets.append(position)
            position += field.storage.width_bytes
        return tuple(offsets)

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits over names, kinds and storage in order; defaults are left out: they change no byte."""
        bytes_matter = [{k: v for k, v in field.to_json().items() if k != "default"} for field in self.fields]
        canonical = json.dumps(bytes_matter, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()

    @cached_property
    def tag(self) -> int:
        return int(self.fingerprint[:2], 16)

    def to_json(self) -> dict[str, Any]:
        return {
            "feature_set": self.feature_set,
            "fingerprint": self.fingerprint,
            "fields": [field.to_json() for field in self.fields],
            # Left out where there are none: a model's fingerprint is over this text.
            **({"segments": {one.segment: dict(one.values) for one in self.segments}} if self.segments else {}),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Layout:
        """The layout of a manifest; raises `LayoutMismatch` where its fingerprint is not that of its own fields."""
        try:
            fields = tuple(
                Field(f["name"], Kind(f["kind"]), Storage.from_json(f["storage"]), f["default"])
                for f in value["fields"]
            )
            segments = tuple(
                SegmentDefaults(name, tuple(values.items())) for name, values in value.get("segments", {}).items()
            )
            layout = cls(value["feature_set"], fields, segments)
            stated = value["fingerprint"]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LayoutMismatch(
                f"the layout in the manifest cannot be read ({error}); it is of a newer release or is damaged: "
                "upgrade this reader, or roll back to an older version"
            ) from error
        if layout.fingerprint != stated:
            raise LayoutMismatch(
                f"the layout in the manifest says fingerprint {stated}, its fields give "
                f"{layout.fingerprint}; the manifest is damaged: roll back to another version"
            )
        return layout


def layout_of(feature_set: FeatureSet) -> Layout:
    usual = dict(feature_set.unknown.defaults) if feature_set.unknown else {}
    return Layout(
        feature_set.name,
        tuple(Field(f.name, f.kind, f.storage, usual.get(f.name, f.default)) for f in feature_set.features),
        tuple(
            SegmentDefaults(one.name, tuple(sorted(one.defaults.items())))
            for one in feature_set.segments
            if one.defaults
        ),
    )
