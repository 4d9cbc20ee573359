"""A feature -> the columns of `transactions`, and the other features, that it is computed from."""

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
        through = {name for one, read in features_read(feature, group) for name in inputs_of(read, one)}
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


def features_read(feature: Feature, group: FeatureGroup) -> list[tuple[FeatureGroup, Feature]]:
    """The features of other groups that a feature is computed from, each with its group."""
    words = set(_WORD.findall(feature.sql))
    return [(one, read) for one in group.of for read in one.features if read.name in words]
