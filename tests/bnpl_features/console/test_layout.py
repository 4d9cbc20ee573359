"""What every page has: by keyboard, without script, figures that follow and let themselves be read meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from bnpl_features.console.access.roles import Role
from bnpl_features.console.navigation import NAVIGATION
from bnpl_features.store.audit import record_act
from tests.bnpl_features.console.console import Console
from tests.bnpl_features.store.shop import Shop

ASK = "void htmx.ajax('GET', '/', {source: '#live', target: '#live'}).catch(() => {})"
"""What the page does by itself every few seconds."""


@pytest.fixture(scope="module")
def variables(store_variables: dict[str, str]) -> dict[str, str]:
    return store_variables


def test_the_rail_leads_to_the_pages_that_the_role_allows(open_page: Callable[..., Page]) -> None:
    for role in Role:
        page = open_page("/", role.word)
        links = page.get_by_role("navigation", name="Pages").get_by_role("link")
        expect(links).to_have_text([name for _, name, least in NAVIGATION if role >= least])


def test_the_keyboard_skips_to_the_content_and_reaches_the_act(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("/versions/1/activate", "operator")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")

    page.get_by_label("Why").focus()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.textContent") == "Roll back to 1"


def test_without_script_pages_are_read_and_acts_asked_for(open_page: Callable[..., Page]) -> None:
    page = open_page("/versions", "operator", java_script_enabled=False)
    page.get_by_role("link", name="Roll back to 1").click()

    expect(page.get_by_role("button", name="Roll back to 1")).to_be_visible()


def test_figures_follow_but_not_under_the_eyes_of_who_selects_text(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("/")
    expect(page.get_by_role("heading", name="Last acts")).to_be_visible()
    page.evaluate("document.getSelection().selectAllChildren(document.querySelector('#live h2'))")
    record_act(shop.client, shop.keyspace, act="look", actor="ana", reason="while somebody reads")
    page.evaluate(ASK)
    page.wait_for_timeout(300)
    expect(page.get_by_text("while somebody reads")).to_have_count(0)

    page.evaluate("document.getSelection().removeAllRanges()")
    page.evaluate(ASK)

    expect(page.get_by_text("while somebody reads")).to_be_visible()


def test_where_the_console_stops_answering_the_page_says_so(
    browser: Browser, console: Console, state_by_name: Callable[[str], Any]
) -> None:
    page = browser.new_context(storage_state=state_by_name("viewer")).new_page()
    page.goto(console.url)
    page.route("**/*", lambda route: route.fulfill(status=503))

    page.evaluate(ASK)

    expect(page.locator("#live-state")).to_have_text("the console does not answer; trying again")
    page.context.close()


def test_whose_session_has_ended_is_brought_to_the_door(
    browser: Browser, console: Console, state_by_name: Callable[[str], Any]
) -> None:
    page = browser.new_context(storage_state=state_by_name("viewer")).new_page()
    page.goto(console.url)
    page.context.clear_cookies()

    page.evaluate(ASK)

    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.context.close()
