"""Values survive their record within the error that their storage states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpl_features.derive.layout import Field, Layout
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Feature, Kind, Value
from bnpl_features.features.storage import Scale, Storage, linear, logarithmic
from bnpl_features.store.codec import Codec, encode_column, float_table
from tests.bnpl_features.store.shop import LAYOUT

CODEC = Codec(LAYOUT)
EVERY_FEATURE = pytest.mark.parametrize("feature", BEHAVIOURAL.features, ids=lambda feature: feature.name)
ROUNDING = 1 + 1e-9

UNHURRIED = settings(deadline=None)
"""A shared machine may stall for longer than Hypothesis grants an example."""

records = st.binary(min_size=LAYOUT.width_bytes, max_size=LAYOUT.width_bytes)


@EVERY_FEATURE
@UNHURRIED
@given(data=st.data())
def test_a_value_is_served_within_the_stated_error(feature: Feature, data: st.DataObject) -> None:
    value = data.draw(values_of(feature))

    served = through_a_record(feature, value)

    error = abs(number(feature, served) - value)
    assert error <= feature.storage.largest_error(value) * ROUNDING
    assert feature.accepts(served)


@EVERY_FEATURE
def test_the_bounds_the_null_and_the_default_survive_a_record(feature: Feature) -> None:
    storage = feature.storage
    low = storage.low if feature.lower is None else max(feature.lower, 0.0)
    high = storage.high if feature.upper is None else min(feature.upper, storage.high)

    for value in (low, high):
        served = through_a_record(feature, value)
        assert feature.accepts(served)
        assert abs(number(feature, served) - value) <= storage.largest_error(value) * ROUNDING
    assert through_a_record(feature, math.nan) is None
    assert feature.accepts(None) is feature.nullable
    default = math.nan if feature.default is None else number(feature, feature.default)
    assert through_a_record(feature, default) == feature.default
    assert type(through_a_record(feature, default)) is type(feature.default)


@EVERY_FEATURE
@UNHURRIED
@given(outside=st.floats(allow_nan=False))
def test_what_does_not_fit_is_counted_and_stored_as_the_nearest_bound(feature: Feature, outside: float) -> None:
    storage = feature.storage
    least = 0.0 if storage.scale is Scale.LOGARITHMIC else storage.low

    codes, saturated = encode_column(storage, np.array([outside]))

    stored = float_table(storage)[codes[0]]
    fits = least <= outside <= storage.high
    assert saturated == (not fits)
    if not fits:
        assert stored == pytest.approx(storage.high if outside > least else least, rel=1e-9)


@EVERY_FEATURE
def test_infinities_saturate_and_nan_is_null(feature: Feature) -> None:
    least = 0.0 if feature.storage.scale is Scale.LOGARITHMIC else feature.storage.low

    codes, saturated = encode_column(feature.storage, np.array([math.inf, -math.inf, math.nan]))
    stored = float_table(feature.storage)[codes]

    assert saturated == 2
    assert stored[:2].tolist() == pytest.approx([feature.storage.high, least])
    assert math.isnan(stored[2])


@UNHURRIED
@given(st.lists(records, max_size=20))
def test_a_batch_decodes_to_what_each_record_decodes_to(random: list[bytes]) -> None:
    tagged = [bytes([LAYOUT.tag]) + record[1:] for record in random]
    matrix = np.frombuffer(b"".join(tagged), dtype=np.uint8).reshape(-1, LAYOUT.width_bytes)

    together = CODEC.decode(matrix)

    for row, record in zip(together, tagged, strict=True):
        values = CODEC.decode_one(record)
        assert values is not None
        assert [as_float(f, value) for f, value in zip(BEHAVIOURAL.features, values, strict=True)] == pytest.approx(
            row.tolist(), nan_ok=True, rel=0, abs=0
        )


@UNHURRIED
@given(st.binary(max_size=80) | records)
def test_random_bytes_never_raise(record: bytes) -> None:
    values = CODEC.decode_one(record)

    is_record = len(record) == LAYOUT.width_bytes and record[0] == LAYOUT.tag
    assert (values is not None) == is_record
    assert values is None or len(values) == 38


def test_encoding_what_was_decoded_gives_the_same_bytes() -> None:
    """The training set goes through encode and decode: that must not depend on how often."""
    dice = np.random.default_rng(3)
    columns = {name: dice.random(500) * 50 for name in LAYOUT.names} | {
        "lifecycle_stage": dice.integers(0, 5, 500) * 1.0
    }
    once = CODEC.encode(columns).records

    again = CODEC.encode(dict(zip(LAYOUT.names, CODEC.decode(once).T, strict=True))).records

    assert (again == once).all()


def test_no_rows_are_no_records() -> None:
    encoded = CODEC.encode({name: np.array([]) for name in LAYOUT.names})

    assert encoded.records.shape == (0, 55)
    assert CODEC.decode(encoded.records).shape == (0, 38)


def test_a_record_is_as_the_layout_draws_it() -> None:
    storage = Storage(Scale.EXACT, 2, 0.0, 65534.0)
    fields = (
        Field("first", Kind.COUNT, storage, 0),
        Field("second", Kind.NUMBER, linear(0.0, 1.0, width_bytes=1), None),
    )
    layout = Layout("drawn@1", fields)

    record = Codec(layout).encode({"first": np.array([0x1234]), "second": np.array([1.0])}).records[0].tobytes()

    assert record == bytes([layout.tag, 0x34, 0x12, 254])


@UNHURRIED
@given(st.floats(0.01, 10_000_000.0))
def test_a_logarithmic_scale_has_one_relative_error(amount: float) -> None:
    storage = logarithmic(0.01, 10_000_000.0)

    codes, _ = encode_column(storage, np.array([amount]))

    assert float_table(storage)[codes[0]] == pytest.approx(amount, rel=0.0002)


def values_of(feature: Feature) -> st.SearchStrategy[float]:
    storage = feature.storage
    low = storage.low if feature.lower is None else 0.0
    high = storage.high if feature.upper is None else min(storage.high, feature.upper)
    if feature.kind is Kind.NUMBER:
        return st.floats(low, high)
    return st.integers(int(low), int(high)).map(float)


def through_a_record(feature: Feature, value: float) -> Value:
    """What a reader hands out for `value`, the other features being null."""
    columns = {name: np.array([math.nan]) for name in LAYOUT.names} | {feature.name: np.array([value])}
    encoded = CODEC.encode(columns)
    served = CODEC.decode_one(encoded.records[0].tobytes())
    assert served is not None
    assert encoded.saturated == {}
    return served[LAYOUT.names.index(feature.name)]


def number(feature: Feature, value: Value) -> float:
    assert value is not None
    return float(feature.storage.names.index(value)) if isinstance(value, str) else float(value)


def as_float(feature: Feature, value: Value) -> float:
    return math.nan if value is None else number(feature, value)
