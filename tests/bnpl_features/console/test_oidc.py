"""Signing in with an identity provider: who comes back with a group gets its role, anybody else is told why not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bnpl_features.store.versions import audit_trail
from tests.bnpl_features.console.console import Console, running_console
from tests.bnpl_features.console.identity_provider import Provider, running_provider
from tests.bnpl_features.store.shop import Shop


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def console(store_variables: dict[str, str], provider: Provider) -> Iterator[Console]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "BNPL_CONSOLE_PORT": str(port),
        "BNPL_CONSOLE_OIDC_ISSUER": provider.url,
        "BNPL_CONSOLE_OIDC_CLIENT_ID": "console",
        "BNPL_CONSOLE_OIDC_CLIENT_SECRET": "a secret",
    }
    with running_console(store_variables | variables, users={}, port=port) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_a_group_gives_its_role_and_the_page_that_was_wanted(
    page: Page, console: Console, provider: Provider, shop: Shop
) -> None:
    provider.claims = {"sub": "1", "email": "ana@lender.example", "groups": ["staff", "operator"]}
    page.goto(f"{console.url}/versions")
    page.get_by_role("link", name="Sign in with your organisation").click()

    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    expect(page.get_by_text("ana@lender.example")).to_be_visible()
    expect(page.get_by_role("link", name="Roll back to 1")).to_be_visible()
    assert len(provider.verified) == 1
    newest = audit_trail(shop.client, shop.keyspace)[0]
    assert (newest.act, newest.actor, newest.reason) == ("sign in", "ana@lender.example", "as operator, oidc")


def test_without_a_group_nobody_gets_in(page: Page, console: Console, provider: Provider) -> None:
    provider.claims = {"sub": "2", "email": "eve@lender.example", "groups": ["staff"]}
    page.goto(console.url)
    page.get_by_role("link", name="Sign in with your organisation").click()

    expect(page.get_by_role("alert")).to_contain_text("none of the groups")
    page.goto(console.url)
    expect(page.get_by_role("link", name="Sign in with your organisation")).to_be_visible()


def test_a_code_of_another_browser_is_refused(page: Page, console: Console, provider: Provider) -> None:
    provider.claims = {"sub": "1", "email": "ana@lender.example", "groups": ["admin"]}
    page.goto(f"{console.url}/sign-in/callback?code=stolen&state=guessed")

    expect(page.get_by_role("alert")).to_contain_text("did not sign you in")
