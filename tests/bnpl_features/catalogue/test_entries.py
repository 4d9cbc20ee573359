"""An entry says everything that the declaration does, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bnpl_features.catalogue.entries import Entry, declared_entries
from bnpl_features.features.catalog import BEHAVIOURAL, SETS, FeatureSet
from bnpl_features.features.volume import VOLUME

ENTRIES = {entry.name: entry for entry in declared_entries((BEHAVIOURAL,))}


def test_there_is_one_entry_a_feature_in_the_order_of_the_set() -> None:
    assert list(ENTRIES) == [feature.name for feature in BEHAVIOURAL.features]


def test_a_feature_of_two_sets_has_one_entry_that_names_both() -> None:
    smaller = FeatureSet("volume@1", (VOLUME,))

    found = {entry.name: entry.sets for entry in declared_entries((BEHAVIOURAL, smaller))}

    assert found["txn_count_7d"] == ("behavioural@1", "volume@1")
    assert found["lifecycle_stage"] == ("behavioural@1",)
    assert len(found) == len(ENTRIES)


def test_a_feature_that_another_set_declares_otherwise_is_not_in_that_set() -> None:
    other = replace(VOLUME, features=(replace(VOLUME.features[0], meaning="Something else."),))

    found = {entry.name: entry.sets for entry in declared_entries((BEHAVIOURAL, FeatureSet("other@1", (other,))))}

    assert found["txn_count_7d"] == ("behavioural@1",)


def test_a_feature_names_the_segments_whose_rules_read_it() -> None:
    found = {entry.name: entry.segments for entry in declared_entries(SETS)}

    assert found["missed_payments_90d"] == ("at_risk",)
    assert found["days_since_first_txn"] == ("new",)
    assert found["night_share_30d"] == ()


def test_the_definition_comes_with_the_columns_and_rows_that_it_builds_on() -> None:
    assert list(ENTRIES["credit_utilization_30d"].derived) == ["is_latest_limit"]
    assert ENTRIES["txn_count_7d"].derived == {}
    assert "MAX(days_ago) < 30 AS is_new" in ENTRIES["new_device_share_30d"].derived["rows"]


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_every_name_that_a_definition_takes_from_its_group_is_explained(entry: Entry) -> None:
    group = next(one for one in BEHAVIOURAL.groups if one.name == entry.group)
    said = " ".join([entry.sql, *entry.derived.values()]).replace("(", " ").replace(",", " ").replace(")", " ").split()

    assert {name for name in group.purchase if name in said} <= set(entry.derived)


@pytest.mark.parametrize(
    ("name", "bounds", "null", "unknown_customer"),
    [
        ("txn_count_7d", "at least 0", "never null; 0 where the window is empty", "0"),
        ("active_days_30d", "0 to 30", "never null; 0 where the window is empty", "0"),
        ("night_share_30d", "0 to 1", "null where the window gives no value", "null"),
        ("amount_trend_90d", "any number", "null where the window gives no value", "null"),
        ("days_since_last_txn", "0 to 364", "never null", "364"),
        ("lifecycle_stage", "one of new, reactivated, active, cooling, dormant", "never null", "new"),
    ],
)
def test_values_are_described_in_words(name: str, bounds: str, null: str, unknown_customer: str) -> None:
    entry = ENTRIES[name]

    assert (entry.bounds, entry.null, entry.unknown_customer) == (bounds, null, unknown_customer)
