"""A storage says what it holds and what that costs, and refuses to be one that holds nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Feature
from bnpl_features.features.storage import Scale, Storage, exact, half, linear, logarithmic, names


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: exact(width_bytes=4), "one or two bytes, not 4"),
        (lambda: linear(1.0, 1.0, width_bytes=1), "from 1.0 to 1.0 holds nothing"),
        (lambda: linear(1.0, 0.0, width_bytes=1), "the low bound comes first"),
        (lambda: logarithmic(10.0, 1.0), "the low bound comes first"),
        (lambda: logarithmic(0.0, 1.0), "starts above zero, not at 0.0"),
        (lambda: names(), "0 names: give 1 to 255"),
        (lambda: names("a", "b", "a"), "3 names: give 1 to 255 different ones"),
        (lambda: names(*map(str, range(256))), "256 names: give 1 to 255"),
    ],
)
def test_a_storage_that_cannot_work_is_refused(declare: Callable[[], Storage], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        declare()


@pytest.mark.parametrize("feature", BEHAVIOURAL.features, ids=lambda feature: feature.name)
def test_a_storage_reads_back_from_json(feature: Feature) -> None:
    storage = feature.storage

    assert Storage.from_json(json.loads(json.dumps(storage.to_json()))) == storage


@pytest.mark.parametrize(
    ("storage", "high", "null_code", "steps"),
    [
        (exact(width_bytes=1), 254.0, 255, 254),
        (exact(width_bytes=2), 65_534.0, 65_535, 65_534),
        (linear(0.0, 1.0, width_bytes=1), 1.0, 255, 254),
        (logarithmic(0.01, 100.0), 100.0, 65_535, 65_533),
        (half(), 65_504.0, 65_535, 65_534),
        (names("a", "b"), 1.0, 255, 254),
    ],
)
def test_the_highest_code_is_null(storage: Storage, high: float, null_code: int, steps: int) -> None:
    assert (storage.high, storage.null_code, storage.steps) == (high, null_code, steps)


@pytest.mark.parametrize(
    ("storage", "text"),
    [
        (exact(width_bytes=1), "none"),
        (names("a"), "none"),
        (linear(0.0, 1.0, width_bytes=1), "±0.002"),
        (logarithmic(0.01, 10_000_000.0), "±0.00016 relative"),
        (half(), "±0.00049 relative"),
    ],
)
def test_the_error_is_told_as_a_person_reads_it(storage: Storage, text: str) -> None:
    assert storage.error_text == text


def test_every_scale_is_used_by_a_declared_feature() -> None:
    """The codec's tests run over declared features: a scale that none used would be untested."""
    assert {feature.storage.scale for feature in BEHAVIOURAL.features} == set(Scale)
