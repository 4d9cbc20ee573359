"""Arrow batches become float columns; what the declaration does not list is refused."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.errors import InputError
from bnpl_features.features.catalog import FeatureSet, group_named
from bnpl_features.store.publishing.batches import customer_batches

RISK = layout_of(FeatureSet("risk@1", (group_named("risk_evolution"),)))
LAYOUT = Layout("two@1", tuple(f for f in RISK.fields if f.name in ("missed_payments_90d", "lifecycle_stage")))


def test_numbers_names_and_nulls_become_floats() -> None:
    (batch,) = customer_batches([arrow(["a", "b"], [3, None], ["dormant", None])], LAYOUT)

    assert batch.customer_ids == ["a", "b"]
    assert batch.columns["missed_payments_90d"].tolist() == pytest.approx([3.0, math.nan], nan_ok=True)
    assert batch.columns["lifecycle_stage"].tolist() == pytest.approx([4.0, math.nan], nan_ok=True)


def test_an_empty_batch_is_an_empty_batch() -> None:
    (batch,) = customer_batches([arrow([], [], [])], LAYOUT)

    assert batch.customer_ids == []
    assert len(batch.columns["lifecycle_stage"]) == 0


def test_a_name_that_is_not_declared_is_refused() -> None:
    with pytest.raises(InputError, match=r"lifecycle_stage holds 'asleep', which is not one of new, .*add it to"):
        list(customer_batches([arrow(["a"], [3], ["asleep"])], LAYOUT))


def test_a_missing_customer_id_is_refused() -> None:
    with pytest.raises(InputError, match=r"1 rows have no customer_id; .* rerun it"):
        list(customer_batches([arrow(["a", None], [3, 3], ["new", "new"])], LAYOUT))


def arrow(customer_ids: list[str | None], counts: list[int | None], stages: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "customer_id": pa.array(customer_ids, pa.string()),
            "missed_payments_90d": pa.array(counts, pa.int64()),
            "lifecycle_stage": pa.array(stages, pa.string()),
        }
    )
