"""The sample finds whatever a store serves otherwise than the warehouse holds it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bnpl_features.errors import VerificationFailed
from bnpl_features.store.codec import Codec
from bnpl_features.store.keyspace import CustomerKey, field_of
from bnpl_features.store.publishing.verification import Sample, differences, mismatches, verify_sample
from bnpl_features.store.reading.lookup import ServedVersion
from bnpl_features.store.versions import manifest_of
from tests.bnpl_features.store.shop import LAYOUT, SECRET, Shop, batches


def test_what_was_published_has_no_mismatch(any_shop: Shop) -> None:
    any_shop.publish(customers=1_000)
    sample = sample_of(1_000)

    assert list(mismatches(any_shop.client, served(any_shop), sample.customers)) == []
    assert len(sample.customers) >= 200


def test_another_value_is_named_and_the_customer_is_not(shop: Shop) -> None:
    shop.publish(customers=1_000)
    sample = sample_of(1_000)
    sample.customers["customer-0"]["txn_count_30d"] += 1

    with pytest.raises(VerificationFailed, match=r"txn_count_30d 0 instead of 1\.0; publish again") as caught:
        verify_sample(shop.client, served(shop), sample.customers)

    assert "customer-0" not in str(caught.value)


def test_a_missing_customer_is_found(shop: Shop) -> None:
    shop.publish(customers=1_000)
    sample = sample_of(1_000)
    sample.customers["missing"] = next(iter(sample.customers.values()))

    with pytest.raises(VerificationFailed, match="unknown_customer"):
        verify_sample(shop.client, served(shop), sample.customers)


def test_a_corrupt_record_is_found(shop: Shop) -> None:
    shop.publish(customers=10)
    shop.client.hset(shop.keyspace.bucket(1, 0), field_of(CustomerKey(SECRET).digest("customer-3")), b"short")

    with pytest.raises(VerificationFailed, match="corrupt record of 5 bytes"):
        verify_sample(shop.client, served(shop), sample_of(10).customers)


@pytest.mark.parametrize("field", LAYOUT.fields, ids=lambda field: field.name)
def test_each_feature_is_compared_within_its_own_error(field: Any) -> None:
    high = field.storage.high
    middle = math.floor(high / 2)
    error = field.storage.largest_error(middle)
    values = dict.fromkeys(LAYOUT.names, math.nan)
    nulls: dict[str, Any] = dict.fromkeys(LAYOUT.names)
    stored = Codec(LAYOUT).encode({name: np.array([v]) for name, v in (values | {field.name: middle}).items()})
    record = Codec(LAYOUT).decode_one(stored.records[0].tobytes())
    assert record is not None
    served_values = nulls | {field.name: record[LAYOUT.names.index(field.name)]}

    def found(expected: float) -> list[str]:
        return list(differences(LAYOUT, values | {field.name: expected}, served_values))

    assert found(middle) == []
    assert len(found(math.nan)) == 1
    assert len(found(middle + 2.5 * error + 1e-3 * middle + (field.storage.scale in ("exact", "names")))) == 1
    assert len(list(differences(LAYOUT, values | {field.name: middle}, nulls))) == 1


def test_a_saturated_value_is_compared_with_the_bound() -> None:
    values = dict.fromkeys(LAYOUT.names, math.nan) | {"txn_count_30d": 10_000.0}
    nulls: dict[str, Any] = dict.fromkeys(LAYOUT.names)

    assert list(differences(LAYOUT, values, nulls | {"txn_count_30d": 254})) == []
    assert len(list(differences(LAYOUT, values, nulls | {"txn_count_30d": 253}))) == 1


def served(shop: Shop) -> ServedVersion:
    return ServedVersion(manifest_of(shop.client, shop.keyspace, 1), shop.keyspace, (CustomerKey(SECRET),))


def sample_of(customers: int) -> Sample:
    sample = Sample.of(customers)
    for batch in batches(customers):
        sample.take(batch)
    return sample
