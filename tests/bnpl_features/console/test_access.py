"""Nothing without signing in, nothing above one's role, no change that one's own page did not send."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Browser, expect

from bnpl_features.console.app import PAGES
from bnpl_features.store.versions import audit_trail
from tests.bnpl_features.console.console import Console
from tests.bnpl_features.store.shop import Shop
from tests.browser import accessibility_violations


@pytest.fixture(scope="module")
def variables(store_variables: dict[str, str]) -> dict[str, str]:
    return store_variables


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: object) -> None:
        return None


def answer(url: str, data: bytes | None = None) -> tuple[int, dict[str, str], str]:
    """Status, headers and text, without following a redirection."""
    try:
        with urllib.request.build_opener(_Stay).open(url, data) as found:
            return found.status, {k.lower(): v for k, v in found.headers.items()}, found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read().decode()


@pytest.mark.parametrize(("path", "method"), [(page.path, method) for page in PAGES for method in page.methods])
def test_every_page_sends_strangers_to_the_door(console: Console, path: str, method: str) -> None:
    address = console.url + re.sub(r"\{[^}]*\}", "1", path)
    status, headers, text = answer(address, b"" if method == "POST" else None)

    assert status == 303
    assert headers["location"].startswith("/sign-in")
    assert text == ""


def test_every_answer_bears_the_headers(console: Console) -> None:
    for path in ("/sign-in", "/", "/health", "/static/console.js", "/nowhere"):
        _, headers, _ = answer(console.url + path)
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_somebody_signs_in_to_the_page_that_was_wanted_and_out_again(browser: Browser, console: Console) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{console.url}/sign-in")
    assert accessibility_violations(page) == []

    console.sign_in(page, "viewer")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_text("viewer", exact=True).first).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    page.goto(console.url)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.context.close()


def test_a_wrong_password_is_refused_audited_and_soon_has_to_wait(
    browser: Browser, console: Console, shop: Shop
) -> None:
    page = browser.new_context().new_page()
    for _ in range(5):
        console.sign_in(page, "mallory", "wrong password")
        expect(page.get_by_text("There is no such user with this password.")).to_be_visible()
    newest = audit_trail(shop.client, shop.keyspace)[0]
    assert (newest.act, newest.actor) == ("refuse sign-in", "mallory")

    console.sign_in(page, "mallory", "wrong password")

    expect(page.get_by_text("Signing in failed too often")).to_be_visible()
    page.context.close()
