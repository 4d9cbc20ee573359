"""The first page: what is served, the store's memory, the last acts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.bnpl_features.console.conftest import YESTERDAY
from tests.browser import accessibility_violations


@pytest.fixture(scope="module")
def variables(store_variables: dict[str, str]) -> dict[str, str]:
    return store_variables


def test_what_is_served_and_how_old_it_is(open_page: Callable[..., Page]) -> None:
    page = open_page("/")

    row = page.get_by_role("region", name="Served").get_by_role("row", name="behavioural@1")
    for said in ("fresh", str(YESTERDAY), "310"):
        expect(row).to_contain_text(said)
    expect(page.get_by_text("Everything is in order")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(open_page: Callable[..., Page], scheme: str) -> None:
    assert accessibility_violations(open_page("/", color_scheme=scheme)) == []
