"""The layout says which code lies at which byte, and its fingerprint changes with every byte's meaning."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bnpl_features.derive.layout import LARGEST_RECORD_BYTES, TAG_BYTES, Field, Layout, layout_of
from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Kind
from bnpl_features.features.storage import exact, linear

LAYOUT = layout_of(BEHAVIOURAL)


def test_a_record_of_the_behavioural_set_takes_55_bytes() -> None:
    assert LAYOUT.width_bytes == 55
    assert LAYOUT.width_bytes <= LARGEST_RECORD_BYTES


def test_fields_follow_each_other_after_the_tag() -> None:
    widths = [field.storage.width_bytes for field in LAYOUT.fields]

    assert LAYOUT.offsets[0] == TAG_BYTES
    assert [b - a for a, b in zip(LAYOUT.offsets, (*LAYOUT.offsets[1:], LAYOUT.width_bytes), strict=True)] == widths


def test_the_names_are_the_sets_in_order() -> None:
    assert LAYOUT.names == tuple(feature.name for feature in BEHAVIOURAL.features)


def test_the_fingerprint_is_the_published_one() -> None:
    """Records that are in stores today carry it: a change here makes every one of them unreadable."""
    assert LAYOUT.fingerprint == FINGERPRINT
    assert LAYOUT.tag == int(FINGERPRINT[:2], 16)


@pytest.mark.parametrize(
    "fields",
    [
        (replace(LAYOUT.fields[0], name="other"), *LAYOUT.fields[1:]),
        (replace(LAYOUT.fields[0], storage=exact(width_bytes=2)), *LAYOUT.fields[1:]),
        (replace(LAYOUT.fields[0], kind=Kind.NUMBER), *LAYOUT.fields[1:]),
        (LAYOUT.fields[1], LAYOUT.fields[0], *LAYOUT.fields[2:]),
        LAYOUT.fields[:-1],
    ],
    ids=["name", "storage", "kind", "order", "one less"],
)
def test_whatever_changes_a_byte_changes_the_fingerprint_and_the_tag(fields: tuple[Field, ...]) -> None:
    changed = Layout(LAYOUT.feature_set, fields)

    assert changed.fingerprint != LAYOUT.fingerprint
    assert changed.tag != LAYOUT.tag


def test_a_default_changes_no_byte_and_no_fingerprint() -> None:
    changed = Layout(LAYOUT.feature_set, (replace(LAYOUT.fields[0], default=3), *LAYOUT.fields[1:]))

    assert changed != LAYOUT
    assert changed.fingerprint == LAYOUT.fingerprint


def test_a_layout_reads_back_from_json() -> None:
    back = Layout.from_json(json.loads(json.dumps(LAYOUT.to_json())))

    assert back == LAYOUT
    assert back.fingerprint == LAYOUT.fingerprint


def damaged(**changes: Any) -> dict[str, Any]:
    return LAYOUT.to_json() | changes


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (damaged(fingerprint="0" * 32), "says fingerprint 0{32}, its fields give .* damaged: roll back"),
        (damaged(fields=LAYOUT.to_json()["fields"][1:]), "the manifest is damaged"),
        (damaged(fields=[{"name": "a"}]), "cannot be read .*newer release or is damaged: upgrade"),
        (damaged(fields=3), "cannot be read"),
        ({}, "cannot be read"),
        ({key: value for key, value in LAYOUT.to_json().items() if key != "fingerprint"}, "cannot be read"),
    ],
)
def test_a_damaged_layout_is_refused(value: dict[str, Any], says: str) -> None:
    with pytest.raises(LayoutMismatch, match=says):
        Layout.from_json(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("scale", "cubic"), ("width_bytes", 4), ("width_bytes", "x"), ("kind", "BYTES"), ("low", None), ("names", None)],
)
def test_a_layout_of_a_newer_release_is_refused(key: str, value: object) -> None:
    theirs = json.loads(json.dumps(LAYOUT.to_json()))
    first = theirs["fields"][0]
    (first if key in first else first["storage"])[key] = value

    with pytest.raises(LayoutMismatch, match=r"cannot be read .*upgrade this reader"):
        Layout.from_json(theirs)


def test_a_record_that_would_leave_the_listpack_is_refused() -> None:
    wide = tuple(Field(f"f{n}", Kind.NUMBER, linear(0.0, 1.0, width_bytes=2), None) for n in range(32))

    with pytest.raises(LayoutMismatch, match="takes 65 bytes, more than 64; use narrower storage or split"):
        Layout("wide@1", wide)


FINGERPRINT = "5e450daac6a0b10ace05092e2a1a7810"
