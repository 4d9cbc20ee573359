"""Arrow record batches from the warehouse -> the arrays that the codec takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bnpl_features.derive.layout import Field, Layout
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.errors import InputError
from bnpl_features.features.feature import Kind
from bnpl_features.store.arrays import Floats

ROWS_AT_ONCE = 32_768
"""Arrays of this many numbers are allocated from memory at hand; longer ones are fetched from the system anew, page by
page, which takes longer than the work on them."""


@dataclass(frozen=True)
class CustomerBatch:
    """Some customers, and one float64 array a feature: NaN is null, a name is its position in the declared list."""

    customer_ids: list[str]
    columns: dict[str, Floats]


def customer_batches(batches: Iterable[pa.RecordBatch], layout: Layout) -> Iterator[CustomerBatch]:
    """Raises `InputError` for a null customer id or a name that the declaration does not list."""
    for batch in (part for whole in batches for part in _parts(whole)):
        identifiers = batch.column(CUSTOMER_COLUMN)
        if identifiers.null_count:
            raise InputError(
                f"{identifiers.null_count} rows have no customer_id; the feature table is damaged, rerun it"
            )
        columns = {field.name: _floats(batch.column(field.name), field) for field in layout.fields}
        yield CustomerBatch(identifiers.to_pylist(), columns)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, max(batch.num_rows, 1), ROWS_AT_ONCE):
        yield batch.slice(start, ROWS_AT_ONCE)


def _floats(column: pa.Array, field: Field) -> Floats:
    if field.kind is not Kind.NAME:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    positions = pc.index_in(column, value_set=pa.array(field.storage.names, pa.string()))
    if positions.null_count != column.null_count:
        unknown = column.filter(pc.and_(pc.is_valid(column), pc.is_null(positions)))
        raise InputError(
            f"{field.name} holds {unknown[0].as_py()!r}, which is not one of {', '.join(field.storage.names)}; "
            "add it to the declaration, or correct the SQL"
        )
    return np.asarray(positions.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
