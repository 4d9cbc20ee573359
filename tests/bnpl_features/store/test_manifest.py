"""A manifest says all of a version, and says so when it cannot be read."""

from __future__ import annotations

import json

import pytest

from bnpl_features.errors import LayoutMismatch
from bnpl_features.store.manifest import Manifest, Provenance
from tests.bnpl_features.store.shop import DAY, LAYOUT

MANIFEST = Manifest(
    version=3,
    partition_date=DAY,
    layout=LAYOUT,
    buckets=5,
    customers=300,
    checksum="0badcafe",
    key_check="k",
    created_at="2024-03-02T00:00:00+00:00",
    saturated={"txn_count_30d": 2},
    provenance=Provenance("run", "code", "actor", {"rows": "passed"}, {"drift": "allowed by me"}),
)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    assert Manifest.from_json(MANIFEST.to_json().encode()) == MANIFEST


ADDED_LATER = {"erased", "expires_at", "deprecated_on"}


@pytest.mark.parametrize("key", sorted(set(json.loads(MANIFEST.to_json())) - ADDED_LATER))
def test_a_manifest_that_lacks_something_is_refused(key: str) -> None:
    value = json.loads(MANIFEST.to_json())
    del value[key]

    with pytest.raises(LayoutMismatch, match=r"a manifest cannot be read .*upgrade this reader, or roll back"):
        Manifest.from_json(json.dumps(value))


def test_a_manifest_of_an_earlier_release_is_read() -> None:
    value = json.loads(MANIFEST.to_json())
    for key in ADDED_LATER:
        del value[key]

    read = Manifest.from_json(json.dumps(value))

    assert (read.erased, read.expires_at) == (0, None)
    assert read == MANIFEST


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"x"', b"\xff\xfe"])
def test_what_is_no_manifest_is_refused(text: str | bytes) -> None:
    with pytest.raises(LayoutMismatch, match="a manifest cannot be read"):
        Manifest.from_json(text)


def test_a_newer_format_is_named() -> None:
    value = json.loads(MANIFEST.to_json()) | {"format": 2}

    with pytest.raises(LayoutMismatch, match="format 2, this release reads 1"):
        Manifest.from_json(json.dumps(value))
