"""The drift pages in a browser: the heat map, and one distribution before and after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.bnpl_features.console.desk import DAYS, NEWEST
from tests.browser import accessibility_violations

Open = Callable[..., Page]
PATHS = ["/drift", "/drift/distribution?subject=volume&feature=txn_count_30d"]


def test_the_map_leads_to_the_distribution_of_a_feature(open_page: Open) -> None:
    page = open_page("/drift", "viewer")
    expect(page.get_by_role("columnheader")).to_have_count(len(DAYS))

    page.get_by_role("link", name="txn_count_30d").click()

    expect(page.get_by_role("heading", name="txn_count_30d")).to_be_visible()
    expect(page.get_by_role("region", name="Before and after").get_by_role("row", name="3–4")).to_contain_text("%")
    expect(page.get_by_role("region", name="Measures")).to_contain_text("wasserstein")
    expect(page.locator("#index-by-day canvas")).to_be_visible()


def test_the_map_can_be_narrowed_to_what_moved_in_a_group(open_page: Open) -> None:
    page = open_page("/drift")
    page.get_by_label("Subject").select_option("volume")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="txn_count_30d")).to_be_visible()
    expect(page.get_by_role("link", name="night_share_30d")).to_have_count(0)

    page.get_by_label("only what moved").check()
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_text("nothing moved")).to_be_visible()
    expect(page.get_by_role("link", name="txn_count_30d")).to_have_count(0)


def test_a_distribution_may_be_of_a_segment(open_page: Open) -> None:
    page = open_page(PATHS[1])
    page.get_by_label("Segment").select_option("segment:at_risk")
    page.get_by_role("button", name="Show").click()

    expect(page.get_by_label("Segment")).to_have_value("segment:at_risk")
    expect(page.get_by_text(f"Rows on {NEWEST}")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/drift?subject=nothing", "nothing called nothing is profiled; choose one of volume"),
        ("/drift/distribution?subject=volume&feature=x", "volume has no 'x'; it has txn_count_7d"),
        ("/drift/distribution?subject=volume&feature=txn_count_7d&day=soon", "write it as 2026-11-25"),
    ],
)
def test_what_cannot_be_shown_says_what_can(open_page: Open, path: str, says: str) -> None:
    expect(open_page(path).get_by_text(says)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_the_pages_are_accessible(open_page: Open, path: str, scheme: str) -> None:
    assert accessibility_violations(open_page(path, color_scheme=scheme)) == []
