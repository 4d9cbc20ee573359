"""Values survive their record within the error that their storage states."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnpl_features.derive.layout import Field, Layout
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Feature, Kind, Value
from bnpl_features.features.storage import Scale, Storage, exact, half, linear, logarithmic, names
from bnpl_features.store.arrays import Floats, encode_column, float_table
from bnpl_features.store.codec import Codec
from bnpl_features.store.manifest import Manifest
from tests.bnpl_features.store.shop import DAY, LAYOUT

CODEC = Codec(LAYOUT)
EVERY_FEATURE = pytest.mark.parametrize("feature", BEHAVIOURAL.features, ids=lambda feature: feature.name)
ROUNDING = 1 + 1e-9

UNHURRIED = settings(deadline=None)
"""A shared machine may stall for longer than Hypothesis grants an example."""

FEW = settings(deadline=None, max_examples=40)
"""Each example makes tables of up to 65,536 values."""

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


# What holds for the declared features holds for any storage and any layout that could be declared


@FEW
@given(data=st.data())
def test_any_storage_keeps_any_value_within_its_stated_error(data: st.DataObject) -> None:
    storage = data.draw(storages)
    values = np.array(data.draw(st.lists(values_in(storage), min_size=1, max_size=50)))

    codes, saturated = encode_column(storage, values)
    served = float_table(storage)[codes]

    assert saturated == 0
    assert not np.isnan(served).any()
    allowed = np.array([storage.largest_error(value) for value in values.tolist()]) * ROUNDING + float_noise(storage)
    assert (np.abs(served - values) <= allowed).all()


@FEW
@given(data=st.data())
def test_saturated_values_of_a_column_are_counted_one_by_one(data: st.DataObject) -> None:
    storage = data.draw(storages)
    values = data.draw(st.lists(st.floats() | values_in(storage), max_size=50))

    codes, saturated = encode_column(storage, np.array(values, dtype=np.float64))
    served = float_table(storage)[codes].tolist()

    least = least_of(storage)
    assert saturated == sum(value < least or value > storage.high for value in values)
    assert [math.isnan(value) for value in served] == [math.isnan(value) for value in values]


@FEW
@given(data=st.data())
def test_many_records_are_encoded_and_decoded_like_each_alone(data: st.DataObject) -> None:
    codec = Codec(data.draw(layouts()))
    columns = data.draw(columns_of(codec.layout, rows=7))

    together = codec.encode(columns)
    alone = [codec.encode({name: values[row : row + 1] for name, values in columns.items()}) for row in range(7)]

    assert together.records.tobytes() == b"".join(one.records.tobytes() for one in alone)
    assert together.saturated == {
        name: count for name in columns if (count := sum(one.saturated.get(name, 0) for one in alone))
    }
    matrix = codec.decode(together.records)
    for row, one in zip(matrix, alone, strict=True):
        assert codec.decode(one.records).tolist()[0] == pytest.approx(row.tolist(), nan_ok=True, rel=0, abs=0)


@FEW
@given(data=st.data())
def test_random_bytes_are_no_record_or_hold_only_values_that_their_storage_has(data: st.DataObject) -> None:
    layout = data.draw(layouts())
    tail = data.draw(
        st.binary(max_size=80) | st.binary(min_size=layout.width_bytes - 1, max_size=layout.width_bytes - 1)
    )
    record = bytes([layout.tag]) + tail

    values = Codec(layout).decode_one(record)

    assert (values is not None) == (len(record) == layout.width_bytes)
    for field, value in zip(layout.fields, values or (None,) * len(layout.fields), strict=True):
        if isinstance(value, str):
            assert value in field.storage.names
        elif value is not None:
            noise = abs(field.storage.high) * 1e-9
            assert least_of(field.storage) - noise <= value <= field.storage.high + noise
            assert isinstance(value, int) == (field.kind is Kind.COUNT)


@FEW
@given(data=st.data())
def test_a_reader_of_one_layout_reads_the_records_of_any_other_by_its_manifest_alone(data: st.DataObject) -> None:
    """Older or newer than the reader's own release makes no difference: it looks at the manifest only."""
    own = data.draw(layouts())
    theirs = data.draw(layouts(kept=own.fields))
    written = Codec(theirs).encode(data.draw(columns_of(theirs, rows=3)))
    text = manifest_of(theirs).to_json()

    reader = Codec(Manifest.from_json(text).layout)

    for record in (row.tobytes() for row in written.records):
        assert reader.decode_one(record) == Codec(theirs).decode_one(record) is not None
        taken = Codec(own).decode_one(record)
        assert taken is None or (own.tag, own.width_bytes) == (theirs.tag, theirs.width_bytes)
    assert reader.layout.names == theirs.names


def test_an_old_reader_passes_over_what_a_newer_release_adds_to_a_layout() -> None:
    value = json.loads(manifest_of(LAYOUT).to_json())
    value["added"] = value["layout"]["added"] = {"by": "a newer release"}
    for field in value["layout"]["fields"]:
        field["unit"] = field["storage"]["unit"] = "USD"

    assert Manifest.from_json(json.dumps(value)).layout == LAYOUT


storages = st.one_of(
    st.builds(exact, width_bytes=st.sampled_from((1, 2))),
    st.builds(
        lambda low, span, width_bytes: linear(low, low + span, width_bytes=width_bytes),
        st.floats(-1e6, 1e6),
        st.floats(1e-2, 1e6),
        st.sampled_from((1, 2)),
    ),
    st.builds(lambda low, ratio: logarithmic(low, low * ratio), st.floats(1e-6, 1e3), st.floats(1.5, 1e9)),
    st.just(half()),
    st.integers(1, 255).map(lambda count: names(*(f"name-{number}" for number in range(count)))),
)


def values_in(storage: Storage) -> st.SearchStrategy[float]:
    """Values that the storage holds; whole numbers where it holds nothing else."""
    if storage.scale in (Scale.EXACT, Scale.NAMES):
        return st.integers(0, int(storage.high)).map(float)
    return st.floats(least_of(storage), storage.high)


def least_of(storage: Storage) -> float:
    return 0.0 if storage.scale is Scale.LOGARITHMIC else storage.low


def float_noise(storage: Storage) -> float:
    """What arithmetic in float64 adds to an error that is small beside the bounds."""
    return 8 * float(np.finfo(np.float64).eps) * max(abs(storage.low), abs(storage.high))


@st.composite
def layouts(draw: st.DrawFn, kept: tuple[Field, ...] = ()) -> Layout:
    """Up to four new fields of any storage, among them, in any place, some of `kept`."""
    prefix = "newer" if kept else "older"
    added = [
        field_of(f"{prefix}_{number}", storage) for number, storage in enumerate(draw(st.lists(storages, max_size=4)))
    ]
    known = draw(st.lists(st.sampled_from(kept), unique=True, max_size=4)) if kept else []
    ordered = draw(st.permutations(added + known)) or [field_of("only", exact(width_bytes=1))]
    return Layout("drawn@1", tuple(ordered))


def field_of(name: str, storage: Storage) -> Field:
    kind = {Scale.EXACT: Kind.COUNT, Scale.NAMES: Kind.NAME}.get(storage.scale, Kind.NUMBER)
    return Field(name, kind, storage, None)


@st.composite
def columns_of(draw: st.DrawFn, layout: Layout, rows: int) -> dict[str, Floats]:
    """Any values, null among them and some that do not fit."""
    return {
        field.name: np.array(
            draw(st.lists(values_in(field.storage) | st.floats(), min_size=rows, max_size=rows)), dtype=np.float64
        )
        for field in layout.fields
    }


def manifest_of(layout: Layout) -> Manifest:
    return Manifest(
        version=1,
        partition_date=DAY,
        layout=layout,
        buckets=1,
        customers=3,
        checksum="0badcafe",
        key_check="k",
        created_at="2024-03-02T00:00:00+00:00",
    )


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
