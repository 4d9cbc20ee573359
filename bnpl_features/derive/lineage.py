"""A feature -> the columns of `transactions` that it is computed from."""

from __future__ import annotations

import re

from bnpl_features.features.feature import Feature, FeatureGroup
from bnpl_features.features.purchase import PURCHASE_COLUMNS, TIMESTAMP_COLUMN

_WORD = re.compile(r"[a-z_][a-z0-9_]*")


def inputs_of(feature: Feature, group: FeatureGroup) -> tuple[str, ...]:
    """The contract's columns that reach the feature, through the group's own columns, in the contract's order.

    A feature of a group with its own rows is taken to depend on all that those rows read.
    """
    words = set(_WORD.findall(feature.sql))
    if group.of:
        through = {name for one in group.of for f in one.features if f.name in words for name in inputs_of(f, one)}
        return tuple(column.name for column in PURCHASE_COLUMNS if column.name in through)
    if group.rows:
        words |= set(_WORD.findall(group.rows))
    pending = set(words)
    while pending:
        word = pending.pop()
        new = set(_WORD.findall(group.purchase.get(word, ""))) - words
        words |= new
        pending |= new
    words |= {TIMESTAMP_COLUMN, "status"}
    return tuple(column.name for column in PURCHASE_COLUMNS if column.name in words)
