"""The catalogue: searched, one feature in full, distributions and importance from a warehouse and a registry."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bnpl_features.features.catalog import ALL_FEATURES
from tests.bnpl_features.console.console import Console
from tests.browser import accessibility_violations


@pytest.fixture(scope="module")
def looked_up(console: Console) -> Console:
    """The observations are at hand."""
    from bnpl_features.console.figures.catalogue import catalogue_figures

    deadline = time.monotonic() + 30
    while catalogue_figures(console.parts).is_looking:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return console


def test_words_group_and_set_narrow_the_list_as_one_types(open_page: Callable[..., Page], looked_up: Console) -> None:
    page = open_page("/catalogue", "viewer")
    rows = page.get_by_role("group", name="Features").locator("tbody tr")
    expect(rows).to_have_count(len(ALL_FEATURES.features))

    page.get_by_label("Words").fill("payment_credit_limit latest")

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("credit_utilization_30d")
    page.reload()
    expect(rows).to_have_count(1)


def test_a_feature_has_its_definition_its_distribution_and_its_importance(
    open_page: Callable[..., Page], looked_up: Console
) -> None:
    page = open_page("/catalogue")
    page.get_by_role("link", name="lifecycle_stage", exact=True).click()

    expect(page.get_by_role("heading", name="lifecycle_stage")).to_be_visible()
    expect(page.get_by_text("WHEN MAX(days_ago) < 30 THEN 'new'")).to_be_visible()
    expect(page.get_by_role("row", name="reactivated")).to_contain_text("%")
    expect(page.get_by_text("of the gain in behavioural 1")).to_be_visible()


@pytest.mark.parametrize("path", ["/catalogue", "/catalogue/txn_count_7d"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(
    open_page: Callable[..., Page], looked_up: Console, path: str, scheme: str
) -> None:
    page = open_page(path, color_scheme=scheme)
    assert accessibility_violations(page) == []

    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_two_versions_differ_by_the_profiles_of_their_days(open_page: Callable[..., Page]) -> None:
    page = open_page("/versions/1/2")

    row = page.get_by_role("row", name="txn_count_7d")
    expect(row).to_contain_text("stable")
    assert accessibility_violations(page) == []
