"""All features at once: can a classifier tell a day's customers from those of another day?

Half of the customers, by a hash of their id, stand for the reference day and the other half for the day itself, so
that no customer is on both sides; of either half, one part trains and the other tells the area under the ROC curve. 0.5
is no drift. Source: Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import CUSTOMER_COLUMN, PARTITION_COLUMN, vectors_table
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.feature import Kind
from bnpl_features.warehouse.warehouse import Labels, Warehouse

MOST_CUSTOMERS = 20_000
"""Of both days together; more would only narrow an area whose deviation is under 0.01 with these."""

FEWEST_CUSTOMERS = 400
_FEATURES = [one for one in BEHAVIOURAL.features if not one.ages]
_DIGITS = 8
_PARAMETERS = {
    "objective": "binary",
    "num_leaves": 8,
    "learning_rate": 0.1,
    "min_data_in_leaf": 50,
    "num_threads": 1,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
_TREES = 40


def domain_classifier_auc(warehouse: Warehouse, reference: date, day: date, labels: Labels) -> float | None:
    """The area, 0.5 to 1; None where either day has no vectors or too few. Needs LightGBM (the extra `model`)."""
    import lightgbm

    share = _share(warehouse, day, labels)
    sides = [_side(warehouse, one, half, share, labels) for one, half in ((reference, 0), (day, 1))]
    if share == 0.0 or min(len(features) for features, _ in sides) < FEWEST_CUSTOMERS // 2:
        return None
    features = np.concatenate([features for features, _ in sides])
    is_test = np.concatenate([is_test for _, is_test in sides])
    is_day = np.concatenate([np.full(len(values), half) for half, (values, _) in enumerate(sides)])
    data = lightgbm.Dataset(features[~is_test], is_day[~is_test], params=_PARAMETERS)
    booster = lightgbm.train(_PARAMETERS, data, _TREES)
    return max(_area(np.asarray(booster.predict(features[is_test])), is_day[is_test]), 0.5)


def customers_query(day: date) -> Query:
    return Query(
        f"SELECT COUNT(*) AS customers FROM {vectors_table(BEHAVIOURAL).name} WHERE {PARTITION_COLUMN} = @day",
        {"day": day},
    )


def side_query(day: date, half: int, share: float) -> Query:
    """Features of the half's customers, of which about `share` are read, and the digit that says who tests."""
    digest = f"TO_HEX(MD5({CUSTOMER_COLUMN}))"
    columns = ", ".join(one.name for one in _FEATURES)
    # The first digit says which half, the second which part, those after it whether the customer is read at all.
    return Query(
        f"SELECT SUBSTR({digest}, 2, 1) AS part, {columns}\nFROM {vectors_table(BEHAVIOURAL).name}\n"
        f"WHERE {PARTITION_COLUMN} = @day AND SUBSTR({digest}, 3, {_DIGITS}) < @below\n"
        f"  AND SUBSTR({digest}, 1, 1) {'>=' if half else '<'} '8'\nORDER BY {CUSTOMER_COLUMN}",
        {"day": day, "below": "g" if share >= 1 else f"{int(share * 16**_DIGITS):0{_DIGITS}x}"},
    )


def _share(warehouse: Warehouse, day: date, labels: Labels) -> float:
    """Of the customers, so that about `MOST_CUSTOMERS` are read."""
    customers = next(warehouse.read(customers_query(day), labels)).to_pylist()[0]["customers"]
    return min(1.0, MOST_CUSTOMERS / customers) if customers else 0.0


def _side(
    warehouse: Warehouse, day: date, half: int, share: float, labels: Labels
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Features of shape [customers, features], names as positions; and which customers test."""
    batches = list(warehouse.read(side_query(day, half, share), labels))
    table = pa.Table.from_batches(batches) if batches else None
    if table is None:
        return np.empty((0, len(_FEATURES))), np.empty(0, bool)
    return np.column_stack([_numbers(table, one.name) for one in _FEATURES]), np.array(
        [part >= "8" for part in table["part"].to_pylist()], bool
    )


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    feature = next(one for one in _FEATURES if one.name == name)
    if feature.kind is Kind.NAME:
        positions = {value: float(n) for n, value in enumerate(feature.storage.names)}
        return np.array([positions.get(value, np.nan) for value in table[name].to_pylist()], np.float64)
    numbers: NDArray[np.float64] = table[name].cast(pa.float64()).to_numpy()
    return numbers


def _area(scores: NDArray[np.float64], is_day: NDArray[np.int_]) -> float:
    """The chance that a row of the day has a higher score than one of the reference, ties halved."""
    order = np.sort(scores)
    ranks = (np.searchsorted(order, scores, "left") + np.searchsorted(order, scores, "right") + 1) / 2
    positive = int(is_day.sum())
    negative = is_day.size - positive
    return float((ranks[is_day == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))
