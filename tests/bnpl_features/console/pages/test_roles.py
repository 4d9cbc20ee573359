"""Roles are enforced at the server, whatever a page offers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page as BrowserPage

from bnpl_features.console.access.guard import Page
from bnpl_features.console.access.roles import Role
from bnpl_features.console.app import PAGES


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_nobody_gets_a_page_above_their_role(open_page: Callable[..., BrowserPage], role: Role) -> None:
    browser = open_page("/", role.word)
    above = [page for page in PAGES if page.role > role]
    assert above

    for page in above:
        for method in page.methods:
            assert _status(browser, page, method) == 403, f"{method} {page.path}"


def test_nothing_is_changed_by_a_form_that_the_session_did_not_send(open_page: Callable[..., BrowserPage]) -> None:
    browser = open_page("/", "admin")

    for page in PAGES:
        if "POST" in page.methods:
            assert _status(browser, page, "POST") == 403, page.path


def _status(browser: BrowserPage, page: Page, method: str) -> int:
    address = browser.url.rstrip("/") + re.sub(r"\{[^}]*\}", "1", page.path)
    return browser.request.fetch(address, method=method).status
