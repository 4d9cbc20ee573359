"""A feature set -> the Pandera schema of its rows, and the check of a stream of Arrow batches against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.compute as pc
from pandera.errors import SchemaErrors

from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.features.feature import Feature, Kind

_TEXT = pd.StringDtype("pyarrow")
"""Arrow's strings as they are: a Python string a row would be most of what a check costs."""

_TYPES = {Kind.COUNT: pd.Int64Dtype(), Kind.NUMBER: "float64", Kind.NAME: _TEXT}


@dataclass(frozen=True)
class Validation:
    """Rows looked at, and how many values broke which rule: (column, rule) -> count."""

    rows: int
    violations: Counter[tuple[str, str]]

    @property
    def passed(self) -> bool:
        return not self.violations


def schema_of(name: str, features: Sequence[Feature]) -> pa.DataFrameSchema:
    """Types, bounds and nullability of each feature, and a customer id that is never null; no other column."""
    columns = {CUSTOMER_COLUMN: pa.Column(_TEXT, pa.Check.str_length(min_value=1), nullable=False)}
    columns |= {feature.name: _column(feature) for feature in features}
    return pa.DataFrameSchema(columns, name=name, strict=True)


def validate(schema: pa.DataFrameSchema, batches: Iterable[pyarrow.RecordBatch]) -> Validation:
    """Check every batch, and count what breaks; anything but a broken rule raises."""
    rows, violations = 0, Counter[tuple[str, str]]()
    for batch in batches:
        rows += batch.num_rows
        violations += _not_finite(batch)
        try:
            schema.validate(batch.to_pandas(types_mapper=_pandas_type), lazy=True)
        except SchemaErrors as error:
            cases = error.failure_cases
            # A column that is missing, or one too many, is a case of the whole schema.
            columns = cases["column"].where(cases["schema_context"] == "Column", cases["failure_case"])
            violations.update(zip(columns.astype(str), cases["check"].astype(str), strict=True))
    return Validation(rows, violations)


def _column(feature: Feature) -> pa.Column:
    checks = []
    if feature.kind is Kind.NAME:
        checks.append(pa.Check.isin(feature.storage.names))
    if feature.lower is not None:
        checks.append(pa.Check.ge(feature.lower))
    if feature.upper is not None:
        checks.append(pa.Check.le(feature.upper))
    return pa.Column(_TYPES[feature.kind], checks, nullable=feature.nullable, description=feature.meaning)


def _not_finite(batch: pyarrow.RecordBatch) -> Counter[tuple[str, str]]:
    """NaN and infinity, which pandas would take for null or let pass."""
    found: Counter[tuple[str, str]] = Counter()
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pyarrow.types.is_floating(column.type):
            count = len(column) - column.null_count - (pc.sum(pc.is_finite(column)).as_py() or 0)
            if count:
                found[name, "finite"] = count
    return found


def _pandas_type(arrow_type: pyarrow.DataType) -> Any:
    if pyarrow.types.is_integer(arrow_type):
        return pd.Int64Dtype()
    return _TEXT if pyarrow.types.is_string(arrow_type) else None
