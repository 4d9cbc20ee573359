"""Versions: the timeline, a rollback with its reason, a retirement with its progress, two side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.versions import State, active_version, audit_trail, list_versions
from tests.bnpl_features.console.conftest import YESTERDAY
from tests.bnpl_features.store.shop import Shop
from tests.browser import accessibility_violations

PATHS = ("/versions", "/versions/2", "/versions/1/2", "/versions/1/activate", "/versions/1/retire", "/audit")


@pytest.fixture(scope="module")
def variables(store_variables: dict[str, str]) -> dict[str, str]:
    return store_variables


@pytest.fixture(autouse=True)
def _as_it_was(shop: Shop) -> Iterator[None]:
    """Version 2 active and 1 retained again after each test."""
    yield
    state = {one.number: one.state for one in list_versions(shop.client, shop.keyspace)}
    if state.get(2) is State.RETAINED:
        from bnpl_features.store.switching import roll_back

        roll_back(shop.client, shop.keyspace, 2, actor="test", reason="as it was")


def test_the_timeline_shows_every_version_with_its_state(open_page: Callable[..., Page]) -> None:
    page = open_page("/versions")

    expect(page.get_by_role("row", name="2 active")).to_contain_text(str(YESTERDAY))
    expect(page.get_by_role("row", name="1 retained")).to_contain_text(str(YESTERDAY - timedelta(days=1)))
    page.get_by_role("link", name="2", exact=True).click()
    expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    expect(page.get_by_text("run-1")).to_be_visible()


def test_an_operator_rolls_back_with_a_reason_which_is_audited(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("/versions", "operator")
    page.get_by_role("link", name="Roll back to 1").click()
    expect(page.get_by_role("row", name="customers 310 300")).to_be_visible()
    page.get_by_label("Why").fill("approval rate fell at 03:10")
    page.get_by_role("button", name="Roll back to 1").click()

    expect(page.get_by_text("Version 1 is active.")).to_be_visible()
    assert active_version(shop.client, shop.keyspace) == 1
    newest = audit_trail(shop.client, shop.keyspace)[0]
    assert (newest.act, newest.version, newest.actor) == ("roll back", 1, "operator")
    page.goto(page.url.replace("/versions", "/audit"))
    expect(page.get_by_role("row", name="operator roll back")).to_contain_text("approval rate fell at 03:10")


def test_without_a_reason_nothing_is_done(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("/versions/1/activate", "operator")
    page.get_by_label("Why").fill("   ")
    page.get_by_role("button", name="Roll back to 1").click()

    expect(page.get_by_role("alert")).to_contain_text("say why")
    assert active_version(shop.client, shop.keyspace) == 2


def test_an_admin_retires_a_version_and_sees_it_done(open_page: Callable[..., Page], shop: Shop) -> None:
    shop.publish(320, YESTERDAY, mark=3)
    number = list_versions(shop.client, shop.keyspace)[0].number
    from bnpl_features.store.switching import roll_back

    roll_back(shop.client, shop.keyspace, 2, actor="test", reason="to retire the newest")
    shop.client.hset(shop.keyspace.states, f"{number}:since", "1")

    page = open_page(f"/versions/{number}/retire")
    page.get_by_label("Why").fill("to free memory")
    page.get_by_role("button", name=f"Retire {number}").click()

    expect(page.get_by_text(f"Version {number} is retired.")).to_be_visible()
    assert number not in {one.number for one in list_versions(shop.client, shop.keyspace)}
    page.get_by_role("link", name="Versions", exact=True).click()
    expect(page.get_by_role("row", name=f"{number} gone")).to_be_visible()


def test_a_version_in_its_grace_is_not_retired_and_the_page_says_why(open_page: Callable[..., Page]) -> None:
    page = open_page("/versions/1/retire")
    page.get_by_label("Why").fill("to free memory")
    page.get_by_role("button", name="Retire 1").click()

    expect(page.get_by_text("readers may still use it")).to_be_visible()


def test_a_viewer_is_offered_no_act_and_allowed_none(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("/versions", "viewer")
    expect(page.get_by_role("row", name="1 retained")).to_be_visible()
    expect(page.get_by_role("link", name="Roll back")).to_have_count(0)

    for path in ("/versions/1/activate", "/versions/1/retire"):
        answer = page.request.get(page.url.replace("/versions", path))
        assert answer.status == 403
        posted = page.request.post(page.url.replace("/versions", path), form={"reason": "x", "csrf": "x"})
        assert posted.status == 403
    assert active_version(shop.client, shop.keyspace) == 2


def test_an_operator_may_not_retire(open_page: Callable[..., Page]) -> None:
    page = open_page("/versions", "operator")

    assert page.request.get(page.url.replace("/versions", "/versions/1/retire")).status == 403


def test_a_form_of_another_site_changes_nothing(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("/versions/1/activate")
    token = page.locator(".act input[name=csrf]").get_attribute("value") or ""

    for form, headers in (
        ({"reason": "x"}, {}),
        ({"reason": "x", "csrf": "guessed"}, {}),
        ({"reason": "x", "csrf": token}, {"origin": "https://evil.example"}),
    ):
        assert page.request.post(page.url, form=form, headers=headers).status == 403
    assert active_version(shop.client, shop.keyspace) == 2


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_accessible_and_fit_a_phone(open_page: Callable[..., Page], path: str) -> None:
    page = open_page(path)
    expect(page.get_by_text("Looking")).to_have_count(0)
    assert accessibility_violations(page) == []

    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_audit_trail_is_looked_through(open_page: Callable[..., Page], shop: Shop) -> None:
    page = open_page("/audit")
    page.get_by_label("Act", exact=True).fill("activate")
    page.get_by_label("Version").fill("2")
    page.get_by_role("button", name="Show").click()

    rows = page.get_by_role("group", name="Acts").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text(f"partition {YESTERDAY}")


def test_old_acts_are_a_click_away(open_page: Callable[..., Page], shop: Shop) -> None:
    from bnpl_features.store.audit import record_act

    for number in range(60):
        record_act(connect(shop.url), Keyspace(shop.namespace), act="look", actor="ana", reason=f"case {number:02}")

    page = open_page("/audit?actor=ana")
    expect(page.get_by_text("case 59")).to_be_visible()
    page.get_by_role("link", name="Older").click()

    expect(page.get_by_text("case 09")).to_be_visible()
    expect(page.get_by_role("link", name="Older")).to_have_count(0)


def test_a_check_that_was_let_pass_stands_out_with_its_reason(open_page: Callable[..., Page], shop: Shop) -> None:
    checks = {"feature_volume:schema": "passed", "feature_volume:drift": "warned"}
    overrides = {"feature_volume:drift": "a campaign"}
    shop.publish(330, YESTERDAY, provenance=Provenance("run-2", "0.1.0", "tester", checks, overrides))
    number = list_versions(shop.client, shop.keyspace)[0].number

    page = open_page("/versions")
    expect(page.get_by_role("row", name=f"{number} active")).to_contain_text("1 of 2 not passed")
    page.get_by_role("link", name=str(number), exact=True).click()

    row = page.get_by_role("row", name="feature_volume:drift")
    expect(row).to_contain_text("warned")
    expect(row).to_contain_text("a campaign")
    page.get_by_text("1 passed").click()
    expect(page.get_by_text("feature_volume:schema")).to_be_visible()
    assert accessibility_violations(page) == []
