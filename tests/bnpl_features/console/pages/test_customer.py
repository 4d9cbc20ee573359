"""The customer page in a browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.bnpl_features.console.desk import Desk

Open = Callable[..., Page]


def test_a_customer_is_looked_up_by_hand(open_page: Open, desk: Desk) -> None:
    page = open_page("/customer", "operator")
    page.get_by_label("Customer id").fill(desk.known)
    page.get_by_role("button", name="Look up").click()

    row = page.get_by_role("region", name="Features").get_by_role("row", name="days_since_first_txn")
    expect(row).to_contain_text("+1")
    expect(page.get_by_role("region", name="Recent scores").get_by_role("row")).to_have_count(4)
    expect(page.get_by_role("region", name="Recent scores")).to_contain_text("Amount of the purchase")
    page.screenshot(path="/tmp/shots/customer-light.png", full_page=True)
