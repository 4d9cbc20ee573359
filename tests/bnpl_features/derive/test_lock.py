"""What may change in the declarations under the same name, and what is refused with the mend."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bnpl_features.derive.lock import Accepted, Differences, Lock, compare, declared, recorded
from bnpl_features.errors import DeclarationsChanged
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS, SETS, FeatureSet
from bnpl_features.features.feature import WEEK, Feature, FeatureGroup
from bnpl_features.features.shapes import count
from bnpl_features.features.storage import linear

TODAY = date(2026, 11, 25)
VOLUME, TEMPORAL, CATEGORY, DEVICE, RISK_EVOLUTION, *_ = GROUPS
NEW = count("txn_count_14d", "Completed purchases in 14 days.", "COUNT({transaction_timestamp})")


def with_feature(group: FeatureGroup, name: str, **changes: Any) -> FeatureGroup:
    """The group with one feature declared otherwise."""
    return replace(group, features=tuple(replace(f, **changes) if f.name == name else f for f in group.features))


def changed(
    *groups: FeatureGroup, sets: tuple[FeatureSet, ...] = (), same_meaning: tuple[str, ...] = ()
) -> Differences:
    """Against the present declarations of the first set: these groups, in place of those of the same name."""
    own = {group.name: group for group in groups}
    now = tuple(own.get(group.name, group) for group in GROUPS)
    given = sets or (replace(BEHAVIOURAL, groups=tuple(own.get(group.name, group) for group in BEHAVIOURAL.groups)),)
    return compare(declared(GROUPS, (BEHAVIOURAL,)), declared(now, given), TODAY, same_meaning=same_meaning)


def test_the_lock_file_records_the_declarations() -> None:
    """Where this fails, `bnpl-features sets lock` says what changed, and whether it may."""
    assert compare(recorded(), declared(), TODAY).text == ""
    assert recorded().to_toml() == replace(declared(), accepted=recorded().accepted).to_toml()


def test_a_lock_file_is_read_as_it_was_written() -> None:
    lock = replace(declared(), accepted=(Accepted("txn_count_7d", "2026-11-25", 'the same, "vouched"'),))

    assert Lock.from_toml(lock.to_toml()) == lock
    assert len([line for line in lock.to_toml().splitlines() if line.startswith("amount_sum_30d = ")]) == 1


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("sql", {"sql": "MAX({amount})"}),
        ("window", {"window": WEEK}),
        ("stored", {"storage": linear(0.0, 1000.0, width_bytes=2)}),
        ("bounds", {"upper": 1_000.0}),
        ("default", {"default": 1.0}),
        ("unit", {"unit": "EUR"}),
    ],
)
def test_a_feature_that_means_something_else_needs_a_new_name(part: str, changes: dict[str, Any]) -> None:
    found = changed(with_feature(VOLUME, "amount_mean_30d", **changes))

    [refused] = found.refused
    assert refused.subject == "amount_mean_30d"
    assert refused.says.startswith(f"{part} was ")
    assert "give it a new name, in a new set version" in refused.why_refused


def test_what_people_read_of_a_feature_may_change() -> None:
    reworded = with_feature(VOLUME, "amount_mean_30d", meaning="The mean.", risk_direction=1)

    assert changed(replace(reworded, owner="team:other")).changes == ()


def test_whitespace_in_sql_means_nothing() -> None:
    spaced = with_feature(VOLUME, "amount_mean_30d", sql="AVG({amount})\n")

    assert changed(spaced).changes == ()


def test_a_column_that_a_feature_is_computed_from_is_part_of_its_meaning() -> None:
    other_nights = {"is_night": "IF(EXTRACT(HOUR FROM transaction_timestamp) BETWEEN 5 AND 22, 0, 1)"}
    found = changed(replace(TEMPORAL, purchase={**TEMPORAL.purchase, **other_nights}))

    assert [one.subject for one in found.refused] == ["night_share_30d"]


def test_a_wider_look_back_changes_what_window_functions_see() -> None:
    found = changed(replace(TEMPORAL, history=True))

    assert {one.subject for one in found.refused} == {f.name for f in TEMPORAL.features if f.name.startswith("gap_")}


def test_the_rows_of_a_group_are_part_of_the_meaning_of_all_its_features() -> None:
    found = changed(replace(DEVICE, rows=DEVICE.rows.replace("< 30 AS is_new", "< 31 AS is_new")))

    assert {one.subject for one in found.refused} == {feature.name for feature in DEVICE.features}


def test_reworded_sql_is_accepted_when_somebody_vouches_for_it_and_nothing_else_changed() -> None:
    reworded = with_feature(VOLUME, "amount_mean_30d", sql="SUM({amount}) / COUNT({amount})")

    found = changed(reworded, same_meaning=("amount_mean_30d",))

    assert found.refused == ()
    assert "as was vouched" in found.changes[0].says
    widened = with_feature(reworded, "amount_mean_30d", window=WEEK)
    assert len(changed(widened, same_meaning=("amount_mean_30d",)).refused) == 1


def added(feature: Feature, at: int) -> FeatureSet:
    names = [one.name for one in BEHAVIOURAL.features]
    names.insert(at, feature.name)
    wider = replace(VOLUME, features=(*VOLUME.features, feature))
    return replace(BEHAVIOURAL, groups=(wider, *BEHAVIOURAL.groups[1:]), names=tuple(names))


def test_a_feature_is_added_at_a_sets_end_and_nowhere_else() -> None:
    wider = replace(VOLUME, features=(*VOLUME.features, NEW))

    at_the_end = changed(wider, sets=(added(NEW, len(BEHAVIOURAL.features)),))
    before_others = changed(wider, sets=(added(NEW, 3),))

    assert [str(one) for one in at_the_end.changes] == [
        "txn_count_14d: is new",
        "behavioural@1: gains txn_count_14d at its end",
    ]
    assert "record it with `bnpl-features sets lock`" in at_the_end.text
    assert "new ones before old ones: models were trained on behavioural@1 as it was" in before_others.text


def test_a_set_loses_nothing() -> None:
    names = tuple(feature.name for feature in BEHAVIOURAL.features if feature.name != "night_share_30d")

    found = changed(sets=(replace(BEHAVIOURAL, names=names),))

    assert "loses night_share_30d: models were trained on behavioural@1 as it was" in found.text


def test_a_new_version_of_a_set_may_leave_features_out() -> None:
    names = tuple(feature.name for feature in BEHAVIOURAL.features if feature.name != "night_share_30d")

    found = changed(sets=(BEHAVIOURAL, FeatureSet("behavioural@9", BEHAVIOURAL.groups, names)))

    assert [str(one) for one in found.changes] == ["behavioural@9: is new, with 37 features"]


def test_a_feature_that_a_set_serves_is_not_removed() -> None:
    without = replace(VOLUME, features=VOLUME.features[1:])

    found = changed(without, sets=(replace(BEHAVIOURAL, groups=(without, *BEHAVIOURAL.groups[1:])),))

    assert "txn_count_7d: is declared no more: behavioural@1 serve it" in found.text


@pytest.mark.parametrize(("days", "is_refused"), [(1, True), (0, True), (-1, False)])
def test_a_set_is_removed_only_after_the_day_on_which_it_was_said_to_end(days: int, is_refused: bool) -> None:
    ending = replace(BEHAVIOURAL, deprecated_on=TODAY + timedelta(days=days))
    successor = FeatureSet("behavioural@9", BEHAVIOURAL.groups)

    found = compare(declared(GROUPS, (ending, successor)), declared(GROUPS, (successor,)), TODAY)

    assert bool(found.refused) is is_refused
    assert not is_refused or "it is promised until" in found.text


def test_a_set_without_a_date_is_never_removed() -> None:
    successor = FeatureSet("behavioural@9", BEHAVIOURAL.groups)

    found = compare(declared(GROUPS, (BEHAVIOURAL, successor)), declared(GROUPS, (successor,)), TODAY)

    assert "it is not deprecated; declare it again with a deprecated_on date" in found.text


def test_a_lock_file_that_is_none_says_where_it_comes_from() -> None:
    for text in ("features =", "[features]", "[features]\n[sets.x]\n"):
        with pytest.raises(DeclarationsChanged, match="restore it from version control"):
            Lock.from_toml(text)


def test_every_set_has_a_fingerprint_of_its_own() -> None:
    fingerprints = {declared(GROUPS, (one,)).sets[one.name].fingerprint for one in SETS}

    assert len(fingerprints) == len(SETS)
