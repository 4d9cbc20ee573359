"""What an answer says: some features or all, as values or as a vector, from a record or from the declarations."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Kind
from bnpl_features.features.storage import Scale
from bnpl_features.store.codec import Codec
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Manifest
from bnpl_features.store.reading.lookup import Answer, ServedVersion, Status, without_version
from tests.bnpl_features.store.shop import DAY, LAYOUT, SECRET, Shop, batches, renamed

KEY = CustomerKey(SECRET)
MANIFEST = Manifest(3, DAY, LAYOUT, 5, 300, "0badcafe", KEY.check, "2024-03-02T00:00:00+00:00")
CODEC = Codec(LAYOUT)
RECORD = CODEC.encode(next(batches(50)).columns).records[0].tobytes()
DURING = datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp()
SOME = ("lifecycle_stage", "txn_count_7d", "risk_score_mean_30d")


def served(**changes: Any) -> ServedVersion:
    given = {"manifest": MANIFEST, "keyspace": Keyspace("ns"), "keys": [KEY]} | changes
    return ServedVersion(**given)


def records() -> st.SearchStrategy[bytes]:
    """Any bytes behind the layout's tag: a record may hold codes that no encoder writes."""
    size = LAYOUT.width_bytes - 1
    return st.binary(min_size=size, max_size=size).map(lambda rest: bytes([LAYOUT.tag]) + rest)


def test_features_come_in_the_order_in_which_they_were_asked_for(shop: Shop) -> None:
    shop.publish()
    with shop.reader() as reader:
        whole = reader.get("customer-5")
        forwards = reader.get("customer-5", SOME)
        backwards = reader.get("customer-5", SOME[::-1])

    assert forwards.names == SOME
    assert forwards.values == tuple(whole[name] for name in SOME)
    assert backwards.values == forwards.values[::-1]
    assert list(backwards.as_dict()) == list(SOME[::-1])


def test_all_answers_of_a_batch_have_the_features_asked_for(shop: Shop) -> None:
    shop.publish()
    with shop.reader() as reader:
        found = reader.get_many(["customer-0", "nobody", "customer-1"], SOME)

    assert {answer.names for answer in found} == {SOME}
    assert [answer.status for answer in found] == [Status.STALE, Status.UNKNOWN_CUSTOMER, Status.STALE]
    assert found[1].values == ("new", 0, None)


def test_a_feature_that_the_version_lacks_is_unavailable_by_name(shop: Shop) -> None:
    shop.publish(layout=renamed(LAYOUT, "txn_count_7d", "purchases"), batches=renamed_batches())
    with shop.reader() as reader:
        found = reader.get_many(["customer-0", "customer-1"], SOME)
        other = reader.get("customer-0", ("purchases",))

    assert {answer.status for answer in found} == {Status.UNAVAILABLE}
    assert "the served layout has no feature 'txn_count_7d'" in found[0].reason
    assert found[0].values == ("new", 0, None)
    assert (other.status, other["purchases"]) == (Status.STALE, 1)


def renamed_batches() -> Any:
    for batch in batches(300):
        batch.columns["purchases"] = batch.columns.pop("txn_count_7d")
        yield batch


def test_a_feature_that_nobody_declared_has_no_default() -> None:
    answer = without_version(("txn_count_7d", "nonsense"), "why")

    assert answer.as_dict() == {"txn_count_7d": 0, "nonsense": None}
    assert answer.vector[0] == 0
    assert math.isnan(answer.vector[1])
    assert (answer.status, answer.reason, answer.version) == (Status.UNAVAILABLE, "why", None)


def test_a_projection_names_every_feature_that_is_lacking() -> None:
    with pytest.raises(LayoutMismatch, match=r"no feature 'one', 'two'; ask for features of behavioural"):
        CODEC.projection(("one", "txn_count_7d", "two"))


@given(records())
def test_a_vector_is_what_the_batch_decoder_makes_of_the_record(record: bytes) -> None:
    vector = CODEC.whole.vector(record)
    matrix = CODEC.decode(np.frombuffer(record, dtype=np.uint8).reshape(1, -1))

    assert vector.dtype == np.float64
    np.testing.assert_array_equal(vector, matrix[0])


@given(records(), st.lists(st.sampled_from(LAYOUT.names), min_size=1, max_size=8))
def test_a_vector_of_some_features_is_cut_out_of_that_of_all(record: bytes, names: list[str]) -> None:
    some = CODEC.projection(tuple(names))

    whole = dict(zip(LAYOUT.names, CODEC.whole.vector(record), strict=True))

    np.testing.assert_array_equal(some.vector(record), [whole[name] for name in names])


@given(records())
def test_values_and_vector_say_the_same(record: bytes) -> None:
    answer = served().answer(record, DURING)

    for field, value, number in zip(LAYOUT.fields, answer.values, answer.vector, strict=True):
        if value is None:
            assert math.isnan(number)
        elif field.storage.scale is Scale.NAMES:
            assert field.storage.names[int(number)] == value
        else:
            assert value == number
            assert isinstance(value, int if field.kind is Kind.COUNT else float)


def test_without_a_record_values_and_vector_are_the_declared_defaults() -> None:
    answer = served().answer(None, DURING)

    assert answer.as_dict() == {feature.name: feature.default for feature in BEHAVIOURAL.features}
    expected = [
        float(feature.storage.names.index(feature.default))
        if isinstance(feature.default, str)
        else np.nan
        if feature.default is None
        else float(feature.default)
        for feature in BEHAVIOURAL.features
    ]
    np.testing.assert_array_equal(answer.vector, expected)


def test_without_a_version_the_defaults_are_those_of_the_catalogue() -> None:
    with_version = served().answer(None, DURING)
    without = without_version(None, "why")

    assert without.as_dict() == with_version.as_dict()
    np.testing.assert_array_equal(without.vector, with_version.vector)


@pytest.mark.parametrize("answer", [served().answer(None, DURING), without_version(None, "why")], ids=["miss", "none"])
def test_a_vector_may_be_changed_by_who_asked_for_it(answer: Answer) -> None:
    answer.vector[:] = 7.0

    assert answer.vector[0] == 0


@pytest.mark.parametrize(("seconds", "status"), [(-0.001, Status.FRESH), (0.0, Status.STALE)])
def test_an_answer_is_stale_from_the_moment_on_that_was_named(seconds: float, status: Status) -> None:
    version = served(stale_after=timedelta(hours=1))
    end = datetime(2024, 3, 2, 1, tzinfo=UTC).timestamp()

    assert version.answer(RECORD, end + seconds).status is status


def test_a_record_of_another_layout_is_corrupt_whichever_features_are_asked_for() -> None:
    version = served()
    other = bytes([RECORD[0] ^ 1]) + RECORD[1:]

    for damaged in (other, RECORD[:-1], RECORD + b"x", b""):
        answer = version.answer(damaged, DURING, version.projected(SOME))
        assert (answer.status, answer.values) == (Status.UNKNOWN_CUSTOMER, ("new", 0, None))
        assert answer.reason == f"corrupt record of {len(damaged)} bytes"


def test_a_feature_that_was_not_asked_for_is_not_answered() -> None:
    version = served()

    with pytest.raises(ValueError, match="not in tuple"):
        version.answer(RECORD, DURING, version.projected(SOME))["txn_count_30d"]
