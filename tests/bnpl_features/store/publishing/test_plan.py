"""What the workers of a publication know of it, through the folder that they share."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bnpl_features.errors import PublicationRefused
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publishing.plan import Filled, PlacedRange, Plan
from bnpl_features.store.publishing.spool import Ranges
from tests.bnpl_features.store.shop import DAY, LAYOUT

PROVENANCE = Provenance("run", "code", "actor", {"rows": "passed"}, {"drift": "allowed by me"})


def plan_in(folder: Path, expected: int | None = 6) -> Plan:
    return Plan(
        version=7,
        expected=expected,
        partition=DAY,
        customers=300,
        layout=LAYOUT,
        ranges=Ranges(5, 3),
        lease="run-1 token",
        primaries=frozenset({"b", "a"}),
        provenance=PROVENANCE,
        began_at=1.25,
        removed=(4, 5),
        folder=folder,
    )


@pytest.mark.parametrize("expected", [6, None])
def test_a_plan_is_read_as_it_was_written(tmp_path: Path, expected: int | None) -> None:
    plan = plan_in(tmp_path, expected)

    plan.save()

    assert Plan.load(tmp_path) == plan


def test_a_folder_that_was_moved_is_a_plan_all_the_same(tmp_path: Path) -> None:
    """Workers may see the shared folder under another path."""
    (tmp_path / "here").mkdir()
    plan_in(tmp_path / "here").save()
    (tmp_path / "here").rename(tmp_path / "there")

    assert Plan.load(tmp_path / "there") == plan_in(tmp_path / "there")


def test_what_was_handed_over_is_read_as_it_was_written_with_values_that_are_no_number(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    sample = {"customer-1": {"a": math.nan, "b": 0.1 + 0.2, "c": -0.0, "d": 1e308}, "\N{SNOWMAN}\udc80": {"a": 1.0}}

    Filled(300, {"a": 2}, sample, 0.5).save(plan)
    read = Filled.load(plan)

    assert (read.customers, read.saturated, read.seconds) == (300, {"a": 2}, 0.5)
    assert math.isnan(read.sample["customer-1"].pop("a"))
    assert read.sample == {"customer-1": {"b": 0.1 + 0.2, "c": -0.0, "d": 1e308}, "\N{SNOWMAN}\udc80": {"a": 1.0}}


def test_a_placed_range_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    plan = plan_in(tmp_path)
    placed = PlacedRange(2, 100, "0badcafe", "ns:b:7:4", (3, 5), 1.0, 2.5)

    placed.save(plan)

    assert PlacedRange.load(plan, 2) == placed


@pytest.mark.parametrize(
    "load",
    [Plan.load, lambda folder: Filled.load(plan_in(folder)), lambda folder: PlacedRange.load(plan_in(folder), 1)],
    ids=["plan", "filled", "placed"],
)
def test_what_is_missing_from_the_folder_is_named(load: object, tmp_path: Path) -> None:
    with pytest.raises(PublicationRefused, match=r"nowhere/.*json is missing: .*BNPL_PUBLISH_FOLDER.*publish again"):
        load(tmp_path / "nowhere")  # type: ignore[operator]


def test_half_a_file_is_never_seen(tmp_path: Path) -> None:
    plan_in(tmp_path).save()
    plan_in(tmp_path, expected=None).save()

    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_a_worker_that_comes_too_late_does_not_bring_a_removed_folder_back(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "removed")

    with pytest.raises(PublicationRefused, match="removed"):
        PlacedRange(2, 100, "0badcafe", "", (), 1.0, 2.5).save(plan)
    with pytest.raises(PublicationRefused, match="removed"):
        plan.spool.rows_of(0)

    assert not plan.folder.exists()
