"""The first page: what is served, the store's memory, the last acts."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from bnpl_features.console.figures.overview import overview
from bnpl_features.console.parts import STORE_SECONDS
from tests.bnpl_features.console.conftest import YESTERDAY
from tests.bnpl_features.console.console import running_console
from tests.browser import accessibility_violations


@pytest.fixture(scope="module")
def variables(store_variables: dict[str, str]) -> dict[str, str]:
    return store_variables | {"BNPL_CONSOLE_SERVICE_URL": "http://127.0.0.1:9"}


def test_what_is_served_and_how_old_it_is(open_page: Callable[..., Page]) -> None:
    page = open_page("/")

    row = page.get_by_role("region", name="Served").get_by_role("row", name="behavioural@1")
    for said in ("fresh", str(YESTERDAY), "310"):
        expect(row).to_contain_text(said)
    expect(page.get_by_role("listitem").filter(has_text="Store memory")).to_contain_text("MiB")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(open_page: Callable[..., Page], scheme: str) -> None:
    assert accessibility_violations(open_page("/", color_scheme=scheme)) == []


def test_a_part_that_is_down_says_so_and_the_rest_is_shown(open_page: Callable[..., Page]) -> None:
    page = open_page("/")

    expect(page.get_by_text("the prediction service at http://127.0.0.1:9 does not answer")).to_be_visible()
    expect(page.get_by_text("start it with `bnpl-features serve`")).to_be_visible()
    expect(page.get_by_role("row", name="behavioural@1").first).to_be_visible()


def test_a_store_that_is_down_is_told_once_and_every_page_is_there(browser: Browser, variables: dict[str, str]) -> None:
    with running_console(variables | {"REDIS_URL": "redis://127.0.0.1:9/0"}) as broken:
        page = broken.sign_in(browser.new_page())
        expect(page.get_by_text("cannot reach the store at redis://127.0.0.1:9")).to_have_count(1)
        for path in (
            "/versions",
            "/versions/1",
            "/versions/1/2",
            "/versions/1/activate",
            "/versions/1/retire",
            "/audit",
        ):
            page.goto(f"{broken.url}{path}")
            expect(page.get_by_text("cannot reach the store at redis://127.0.0.1:9").first).to_be_visible()
        page.goto(f"{broken.url}/catalogue")
        expect(page.get_by_role("link", name="txn_count_7d")).to_be_visible()
        page.close()


def test_an_empty_store_says_how_to_begin(browser: Browser, variables: dict[str, str]) -> None:
    with running_console(variables | {"BNPL_NAMESPACE": "nothing-here"}) as empty:
        page = empty.sign_in(browser.new_page())
        expect(page.get_by_text("bnpl-features run").first).to_be_visible()
        for path, said in (("/versions", "Nothing is published yet"), ("/versions/1", "there is no version 1")):
            page.goto(f"{empty.url}{path}")
            expect(page.get_by_text(said)).to_be_visible()
        page.close()


def test_a_store_that_hangs_is_waited_for_once_a_page(browser: Browser, variables: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with running_console(variables | {"REDIS_URL": url}) as hanging:
            began = time.monotonic()
            found = overview(hanging.parts)
            seconds = time.monotonic() - began

    assert "did not answer in time" in found.problems["features"]
    assert STORE_SECONDS <= seconds < 2 * STORE_SECONDS


def test_a_warehouse_that_is_missing_is_said_where_it_is_needed(open_page: Callable[..., Page]) -> None:
    page = open_page("/catalogue")

    expect(page.get_by_text("run `bnpl-features simulate`").first).to_be_visible()
    expect(page.get_by_role("link", name="txn_count_7d")).to_be_visible()
    page.goto(page.url.replace("/catalogue", "/versions/1/2"))
    expect(page.get_by_text("run `bnpl-features simulate`").first).to_be_visible()
    expect(page.get_by_role("row", name="customers 300 310")).to_be_visible()
