"""Identifiers of fixed width, written digit by digit for a whole column at once: `cust_0000001`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Integers = npt.NDArray[np.int64]


def customer_ids(customer: Integers) -> pa.StringArray:
    """`cust_<number>`, seven digits, from 0."""
    return _written("cust_#######", customer)


def device_ids(customer: Integers, device: Integers) -> pa.StringArray:
    """`cust_<number>_device_<number>`, as the lender names devices."""
    return _written("cust_#######_device_##", customer, device)


def transaction_ids(customer: Integers, yyyymmdd: Integers, ordinal: Integers) -> pa.StringArray:
    """`txn_<UTC date>_<customer>_<count>`: unique, and the same whatever else is simulated.

    `ordinal` counts the purchases of a customer in a week, so that date and customer make it unique.
    """
    return _written("txn_########_#######_##", yyyymmdd, customer, ordinal)


def _written(template: str, *fields: Integers) -> pa.StringArray:
    """The template for every row, each run of # replaced by the digits of the next field, zero-padded.

    Arrow's string layout is offsets and bytes; with a fixed width both can be filled without a Python string a row.
    """
    rows, width = fields[0].size, len(template)
    text = np.empty((rows, width), dtype=np.uint8)
    text[:] = np.frombuffer(template.encode(), dtype=np.uint8)
    remaining = list(fields)
    left: Integers | None = None
    for position in range(width - 1, -1, -1):
        if template[position] != "#":
            left = None
            continue
        if left is None:
            left = remaining.pop()
        quotient = left // 10
        text[:, position] = left - 10 * quotient + ord("0")
        left = quotient
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))
