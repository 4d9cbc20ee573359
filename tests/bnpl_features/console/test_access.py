"""Nothing without signing in, nothing above one's role, no change that one's own page did not send."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bnpl_features.console.access.attempts import WAIT_SECONDS, Attempts
from bnpl_features.console.access.guard import Page as Route
from bnpl_features.console.access.local_users import user_line
from bnpl_features.console.access.roles import Role
from bnpl_features.console.app import PAGES
from bnpl_features.store.versions import audit_trail
from tests.bnpl_features.console.console import PASSWORD, Console, running_console
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


def test_what_is_too_large_for_a_form_is_refused_unread(console: Console) -> None:
    status, _, text = answer(f"{console.url}/sign-in", b"name=" + b"x" * 70_000)

    assert (status, text) == (413, "at most 65,536 bytes\n")


def test_an_address_that_is_none_says_so_with_the_headers(console: Console) -> None:
    status, headers, text = answer(f"{console.url}/nowhere")

    assert status == 404
    assert "There is nothing at this address." in text
    assert "content-security-policy" in headers


def test_another_sites_name_pointed_here_is_refused(console: Console) -> None:
    request = urllib.request.Request(f"{console.url}/sign-in", headers={"host": "evil.example"})

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)

    assert refused.value.code == 400


def test_a_cookie_that_was_changed_signs_nobody_in(console: Console, browser: Browser) -> None:
    page = browser.new_context().new_page()
    console.sign_in(page, "viewer")
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    page.context.add_cookies([{**cookie, "value": "x" + cookie["value"][1:]}])

    page.goto(console.url)

    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.context.close()


def test_a_user_taken_out_of_the_file_is_signed_out_at_once(
    store_variables: dict[str, str], browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "users"
    file.write_text(user_line("ana", Role.VIEWER, PASSWORD) + "\n")
    with running_console(store_variables | {"BNPL_CONSOLE_USERS_FILE": str(file)}, users={}) as console:
        page = console.sign_in(browser.new_page(), "ana")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()

        file.write_text("# nobody\n")
        page.reload()

        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        page.close()


def test_waiting_ends_and_others_of_the_same_office_are_not_held_up() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(5):
        attempts.failed("ana", "10.0.0.1")

    assert attempts.wait_seconds("ana", "10.0.0.1") == WAIT_SECONDS
    assert attempts.wait_seconds("ana", "10.0.0.2") == 0.0
    assert attempts.wait_seconds("ben", "10.0.0.1") == 0.0
    now[0] = WAIT_SECONDS + 1
    assert attempts.wait_seconds("ana", "10.0.0.1") == 0.0


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_nobody_gets_a_page_above_their_role(open_page: Callable[..., Page], role: Role) -> None:
    browser = open_page("/", role.word)
    above = [page for page in PAGES if page.role > role]
    assert above

    for page in above:
        for method in page.methods:
            assert _status(browser, page, method) == 403, f"{method} {page.path}"


def test_nothing_is_changed_by_a_form_that_the_session_did_not_send(open_page: Callable[..., Page]) -> None:
    browser = open_page("/", "admin")

    for page in PAGES:
        if "POST" in page.methods:
            assert _status(browser, page, "POST") == 403, page.path


def _status(browser: Page, page: Route, method: str) -> int:
    address = browser.url.rstrip("/") + re.sub(r"\{[^}]*\}", "1", page.path)
    return browser.request.fetch(address, method=method).status
