"""The catalogue is the feature dictionary, in its order."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bnpl_features.features.catalog import (
    ALL_FEATURES,
    BEHAVIOURAL,
    GROUPS,
    SEGMENTED,
    SETS,
    FeatureSet,
    group_named,
    set_named,
)
from bnpl_features.features.feature import FIRST_RELEASE, DeclarationError, Feature, Kind

ROOT = Path(__file__).parents[3]
DICTIONARY = {
    "volume": (
        "txn_count_7d txn_count_30d txn_count_90d amount_sum_30d amount_mean_30d amount_max_30d amount_std_30d "
        "amount_cv_30d active_days_30d credit_utilization_30d"
    ),
    "temporal": (
        "weekend_share_30d night_share_30d business_hours_share_30d gap_mean_hours_30d gap_std_hours_30d "
        "gap_min_hours_30d"
    ),
    "category": (
        "category_count_30d category_entropy_30d top_category_share_30d high_risk_category_share_30d "
        "category_switch_share_30d"
    ),
    "device": (
        "device_count_30d top_device_share_30d trusted_device_share_30d new_device_share_30d mobile_share_30d"
    ),
    "risk_evolution": (
        "risk_score_mean_30d risk_score_max_30d risk_score_trend_90d amount_trend_90d spend_ratio_30d_90d "
        "high_risk_share_30d rushed_share_30d missed_payments_90d days_since_missed_payment days_since_last_txn "
        "days_since_first_txn lifecycle_stage"
    ),
    "segment": "segment",
}  # fmt: skip

HEAVY = ("pandas", "pandera", "pyarrow", "duckdb", "dagster", "sqlglot", "google.cloud")


def test_the_groups_declare_the_dictionarys_features_in_its_order() -> None:
    declared = {group.name: " ".join(feature.name for feature in group.features) for group in GROUPS}

    assert declared == DICTIONARY
    assert list(declared) == list(DICTIONARY)


def test_the_behavioural_set_is_all_38_in_order() -> None:
    assert BEHAVIOURAL.name == "behavioural@1"
    assert [feature.name for feature in BEHAVIOURAL.features] == " ".join(DICTIONARY.values()).split()[:-1]
    assert len(BEHAVIOURAL.features) == 38


def test_a_feature_that_the_first_release_lacked_says_since_when_it_is_there() -> None:
    since_the_first = [feature.name for feature in ALL_FEATURES.features if feature.since == FIRST_RELEASE]

    assert set(since_the_first) <= set(" ".join(DICTIONARY.values()).split())


@pytest.mark.parametrize("feature", ALL_FEATURES.features, ids=lambda feature: feature.name)
def test_a_feature_is_there_since_a_release_that_the_changelog_has(feature: Feature) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert f"[{feature.since}]" in changelog or f"What will be {feature.since}." in changelog


@pytest.mark.parametrize("feature", ALL_FEATURES.features, ids=lambda feature: feature.name)
def test_every_feature_accepts_its_bounds_its_default_and_what_an_empty_window_gives(feature: Feature) -> None:
    assert feature.accepts(feature.default) or feature.nullable
    assert feature.accepts(feature.empty) or not feature.nullable
    assert feature.accepts(None) is feature.nullable
    if feature.kind is Kind.NAME:
        assert all(feature.accepts(name) for name in feature.storage.names)
        return
    for bound, beyond in ((feature.lower, -1), (feature.upper, 1)):
        assert bound is None or feature.accepts(bound)
        assert bound is None or not feature.accepts(bound + beyond)


def test_a_feature_in_two_groups_is_refused() -> None:
    volume, temporal, *_ = GROUPS
    doubled = replace(temporal, features=(*temporal.features, volume.features[0]))

    with pytest.raises(DeclarationError, match="txn_count_7d is declared in volume and in temporal; rename one"):
        FeatureSet("doubled@1", (volume, doubled))


def test_a_set_selects_features_in_an_order_of_its_own() -> None:
    chosen = FeatureSet("chosen@1", GROUPS, ("lifecycle_stage", "txn_count_7d"))

    assert [feature.name for feature in chosen.features] == ["lifecycle_stage", "txn_count_7d"]


@pytest.mark.parametrize("names", [("txn_count_8d",), ("txn_count_7d", "txn_count_7d")])
def test_a_set_selects_features_that_exist_once(names: tuple[str, ...]) -> None:
    with pytest.raises(DeclarationError, match=r"feature set chosen@1: .*correct its names"):
        FeatureSet("chosen@1", GROUPS, names)


def test_sets_have_names_of_their_own_with_a_version() -> None:
    assert len({one.name for one in SETS}) == len({one.label for one in SETS}) == len(SETS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*@[1-9][0-9]*", one.name) for one in SETS)
    assert set_named("behavioural@1") is BEHAVIOURAL is SETS[0]
    with pytest.raises(KeyError, match="no feature set 'behavioural'; there are behavioural@1"):
        set_named("behavioural")


def test_the_newer_set_has_all_of_the_older_and_the_segment() -> None:
    assert SEGMENTED.features[:-1] == BEHAVIOURAL.features
    assert SEGMENTED.features[-1].name == "segment"


def test_the_defaults_of_segments_are_values_of_the_sets_features() -> None:
    odd = replace(SEGMENTED.segments[0], defaults={"credit_utilization_30d": -1.0})

    with pytest.raises(DeclarationError, match=r"segment at_risk: credit_utilization_30d cannot default to -1\.0"):
        replace(SEGMENTED, segments=(odd, *SEGMENTED.segments[1:]))
    with pytest.raises(DeclarationError, match="give it the feature segment, and the unknown segment"):
        replace(SEGMENTED, unknown=None)


def test_a_group_is_found_by_name() -> None:
    assert group_named("device").table == "feature_device"

    with pytest.raises(KeyError, match="no feature group 'devices'; there are volume, temporal"):
        group_named("devices")


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("bnpl_features.store.reader", HEAVY),
        ("bnpl_features.derive.layout", (*HEAVY, "numpy", "redis")),
        ("bnpl_features.features.catalog", (*HEAVY, "numpy", "redis")),
    ],
)
def test_the_hot_path_loads_nothing_heavy(module: str, forbidden: tuple[str, ...]) -> None:
    look = f"import sys, {module}; print(*[name for name in {forbidden!r} if name in sys.modules])"

    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert found.stdout.split() == []
