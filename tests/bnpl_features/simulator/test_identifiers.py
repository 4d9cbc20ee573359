"""Identifiers are written as the equivalent format string would."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bnpl_features.simulator.identifiers import customer_ids, device_ids, transaction_ids

ROWS = st.lists(
    st.tuples(st.integers(0, 9_999_999), st.integers(10_000_101, 99_991_231), st.integers(0, 99), st.integers(1, 99)),
    max_size=20,
)


@given(ROWS)
def test_identifiers_have_a_fixed_width_padded_with_zeros(rows: list[tuple[int, int, int, int]]) -> None:
    customer, day, ordinal, device = np.array(rows, dtype=np.int64).reshape(-1, 4).T

    assert customer_ids(customer).to_pylist() == [f"cust_{row[0]:07d}" for row in rows]
    assert device_ids(customer, device).to_pylist() == [f"cust_{row[0]:07d}_device_{row[3]:02d}" for row in rows]
    written = transaction_ids(customer, day, ordinal)
    written.validate(full=True)
    assert written.to_pylist() == [f"txn_{row[1]:08d}_{row[0]:07d}_{row[2]:02d}" for row in rows]
