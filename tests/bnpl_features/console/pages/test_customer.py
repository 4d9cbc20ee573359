"""The customer page in a browser: looked up, audited, erased, and what it says where a part is down."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bnpl_features.console.access.looks import ACT
from bnpl_features.store.versions import AuditEntry, audit_trail
from tests.bnpl_features.console.desk import KEY, Desk
from tests.browser import accessibility_violations

Open = Callable[..., Page]


def acts(desk: Desk, act: str) -> list[AuditEntry]:
    return [one for one in audit_trail(desk.shop.client, desk.shop.keyspace, 1_000) if one.act == act]


def test_a_customer_is_looked_up_and_the_look_is_audited_once(open_page: Open, desk: Desk) -> None:
    page = open_page("/customer", "operator")
    before = len(acts(desk, ACT))
    page.get_by_label("Customer id").fill(desk.known)
    page.keyboard.press("Enter")

    features = page.get_by_role("region", name="Features")
    expect(features.get_by_role("row", name="days_since_first_txn")).to_contain_text("+1")
    expect(features.get_by_role("img", name="txn_count_30d: in the bin")).to_be_visible()
    scores = page.get_by_role("region", name="Recent scores")
    expect(scores.get_by_role("row")).to_have_count(4)
    expect(scores).to_contain_text("Amount of the purchase")
    page.reload()
    expect(scores.get_by_role("row")).to_have_count(4)
    looks = acts(desk, ACT)
    assert len(looks) == before + 1
    assert (looks[0].actor, looks[0].previous) == ("operator", f"{KEY.check}:{KEY.digest(desk.known).hex()}")
    assert desk.known not in str(looks[0])


def test_an_unknown_customer_has_the_defaults(open_page: Open) -> None:
    page = open_page("/customer?id=nobody")

    expect(page.get_by_text("unknown customer")).to_be_visible()
    expect(page.get_by_text("No purchase of this customer was scored")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(open_page: Open, desk: Desk, scheme: str) -> None:
    page = open_page(f"/customer?id={desk.known}", color_scheme=scheme)
    expect(page.get_by_role("img", name="txn_count_30d: in the bin")).to_be_visible()

    assert accessibility_violations(page) == []


def test_on_a_phone_nothing_is_wider_than_the_screen(open_page: Open, desk: Desk) -> None:
    page = open_page(f"/customer?id={desk.known}", viewport={"width": 390, "height": 800})
    expect(page.get_by_role("img", name="txn_count_30d: in the bin")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_customer_is_erased_and_readmitted_by_an_admin_who_types_the_id_again(open_page: Open, desk: Desk) -> None:
    before = acts(desk, "erase"), acts(desk, "readmit")
    page = open_page("/customer/erase?id=cust_none")
    page.get_by_label("The customer id, typed again").fill("cust_other")
    page.get_by_label("Why").fill("request 12")
    page.get_by_role("button", name="Erase").click()
    expect(page.get_by_role("alert")).to_contain_text("not this customer's")
    assert acts(desk, "erase") == before[0]

    page.get_by_label("The customer id, typed again").fill("cust_none")
    page.get_by_role("button", name="Erase").click()
    expect(page.get_by_text("none does now")).to_be_visible()
    expect(page.get_by_text("by admin: request 12")).to_be_visible()

    page.get_by_role("link", name="Readmit").click()
    page.get_by_label("The customer id, typed again").fill("cust_none")
    page.get_by_label("Why").fill("withdrawn")
    page.get_by_role("button", name="Readmit").click()
    expect(page.get_by_text("the next publication serves the customer again")).to_be_visible()
    for act, reason, earlier in (("erase", "request 12", before[0]), ("readmit", "withdrawn", before[1])):
        newest, *others = acts(desk, act)
        assert (newest.actor, newest.reason) == ("admin", reason)
        assert others == list(earlier)


def test_nobody_is_erased_without_an_id(open_page: Open, desk: Desk) -> None:
    page = open_page("/customer/erase")
    page.get_by_label("The customer id, typed again").fill(" ")
    page.get_by_label("Why").fill("by mistake")
    page.get_by_role("button", name="Erase").click()

    expect(page.get_by_role("alert")).to_contain_text("not this customer's")
    assert "by mistake" not in [one.reason for one in acts(desk, "erase")]


def test_an_operator_is_not_offered_to_erase(open_page: Open, desk: Desk) -> None:
    page = open_page(f"/customer?id={desk.known}", "operator")

    expect(page.get_by_role("link", name="Erase")).to_have_count(0)
