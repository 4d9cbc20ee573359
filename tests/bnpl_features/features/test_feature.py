"""A declaration that cannot work is refused where it stands, by name and with the mend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bnpl_features.features.feature import (
    HISTORY,
    MONTH,
    QUARTER,
    DeclarationError,
    Feature,
    FeatureGroup,
    Kind,
    Value,
    Window,
)
from bnpl_features.features.storage import exact, linear, names

COUNT = Feature(
    name="purchases_30d",
    meaning="Completed purchases.",
    unit="count",
    kind=Kind.COUNT,
    window=MONTH,
    sql="COUNT({amount})",
    storage=exact(width_bytes=1),
    nullable=False,
    empty=0,
    default=0,
)
SHARE = replace(
    COUNT, name="share_30d", kind=Kind.NUMBER, storage=linear(0, 1, width_bytes=1), upper=1.0, nullable=True, empty=None
)
STAGE = replace(COUNT, name="stage", kind=Kind.NAME, storage=names("new", "old"), lower=None, empty=None, default="new")
GROUP = FeatureGroup("group", "Some.", "team:x", (COUNT, SHARE))


@pytest.mark.parametrize(
    ("feature", "change", "says"),
    [
        (COUNT, {"name": "Purchases"}, "'Purchases': use lower-case letters"),
        (COUNT, {"name": "1st"}, "'1st': use lower-case"),
        (COUNT, {"name": ""}, "'': use lower-case"),
        (COUNT, {"name": "a" * 64}, "use lower-case"),
        (COUNT, {"meaning": ""}, "purchases_30d: the meaning must be one line"),
        (COUNT, {"meaning": "two\nlines"}, "purchases_30d: the meaning must be one line"),
        (COUNT, {"default": None}, "purchases_30d: never null, so it needs a default"),
        (COUNT, {"nullable": True}, "purchases_30d: an empty window gives 0, so set nullable=False"),
        (COUNT, {"storage": names("a")}, "purchases_30d: names are stored with"),
        (STAGE, {"storage": exact(width_bytes=1)}, "stage: names are stored with"),
        (COUNT, {"storage": linear(0, 9, width_bytes=1)}, "purchases_30d: a count is stored exactly"),
        (COUNT, {"lower": 2.0, "upper": 1.0}, "purchases_30d: lower bound 2.0 is above upper bound 1.0"),
        (COUNT, {"since": "soon"}, "purchases_30d: since is 'soon'; write a release, such as 0.2.0"),
        (COUNT, {"default": -1}, "purchases_30d: the default -1 is outside its own bounds"),
        (SHARE, {"default": 1.5}, "share_30d: the default 1.5 is outside"),
        (STAGE, {"default": "gone"}, "stage: the default 'gone' is outside"),
        (COUNT, {"default": "new"}, "purchases_30d: the default 'new' is outside"),
        (STAGE, {"default": 1}, "stage: the default 1 is outside"),
    ],
)
def test_a_feature_that_cannot_work_is_refused(feature: Feature, change: dict[str, Any], says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        replace(feature, **change)


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: replace(GROUP, name="A group"), "group name 'A group': use lower-case"),
        (lambda: replace(GROUP, features=()), "group group: declare at least one feature"),
        (lambda: replace(GROUP, features=(COUNT, SHARE, COUNT)), "feature purchases_30d is declared twice; rename one"),
        (lambda: Window(0), "a window needs at least one day, got 0"),
    ],
)
def test_a_group_or_window_that_cannot_work_is_refused(declare: Callable[[], object], says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        declare()


@pytest.mark.parametrize(
    ("feature", "value", "accepted"),
    [
        (COUNT, 0, True),
        (COUNT, 10**9, True),
        (COUNT, -1, False),
        (COUNT, None, False),
        (SHARE, None, True),
        (SHARE, 1.0, True),
        (SHARE, 1.0000001, False),
        (SHARE, float("nan"), False),
        (STAGE, "old", True),
        (STAGE, "older", False),
        (STAGE, 0, False),
        (replace(SHARE, lower=None), -5.0, True),
    ],
)
def test_a_value_is_accepted_inside_the_bounds(feature: Feature, value: Value, accepted: bool) -> None:
    assert feature.accepts(value) is accepted


def test_a_group_reads_as_far_back_as_its_longest_window() -> None:
    assert GROUP.look_back == MONTH
    assert replace(GROUP, features=(COUNT, replace(SHARE, window=QUARTER))).look_back == QUARTER
    assert replace(GROUP, history=True).look_back == HISTORY


def test_windowed_columns_are_those_in_braces() -> None:
    assert replace(COUNT, sql="SUM({amount}) / MAX({gap_hours}) + days_ago").windowed_columns == {"amount", "gap_hours"}


def test_declarations_are_frozen() -> None:
    with pytest.raises(AttributeError):
        COUNT.name = "other"  # type: ignore[misc]
