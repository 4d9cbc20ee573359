"""The page, parsed and in a real browser: self-contained, searchable, by keyboard, on a phone, without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bnpl_features.catalogue.entries import Catalogue
from bnpl_features.catalogue.observations import declared_catalogue
from bnpl_features.catalogue.page import catalogue_page
from bnpl_features.features.catalog import ALL_FEATURES, SETS

NAMES = [feature.name for feature in ALL_FEATURES.features]
VOID = {"meta", "input", "br", "rect"}
READABLE = 4.5
"""The contrast of text that WCAG 2.2 asks for, level AA."""


class Elements(HTMLParser):
    """Start tags with their attributes and depth; refuses what is not nested well."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for found, attributes in self.found if found == tag)


@pytest.fixture(scope="module")
def elements(page_file: Path) -> Elements:
    return Elements(page_file.read_text(encoding="utf-8"))


def test_every_feature_is_an_element_with_what_it_is_filtered_by(elements: Elements) -> None:
    features = list(elements.named("details"))

    assert [one["id"] for one in features] == NAMES
    for one, feature in zip(features, ALL_FEATURES.features, strict=True):
        assert (one["data-unit"], one["data-nullable"]) == (feature.unit, "yes" if feature.nullable else "no")


def test_nothing_is_fetched_from_anywhere(elements: Elements, page_file: Path) -> None:
    addresses = {name for _, attributes in elements.found for name in attributes} & {"src", "href", "action"}

    assert addresses == set()
    assert not re.search(r"url\(|@import|https?:", page_file.read_text(encoding="utf-8"))


def test_what_a_declaration_says_can_inject_nothing(live: Catalogue) -> None:
    evil = '</pre><script>alert("x")</script>'
    entry = replace(live.entries[0], meaning=evil, sql=evil, owner=evil, unit='"><b>', derived={evil: evil})

    found = Elements(catalogue_page(replace(live, entries=(entry,))))

    assert len(list(found.named("script"))) == 1
    assert list(found.named("b")) == []


def test_the_declared_page_is_small_and_says_what_is_missing() -> None:
    page = catalogue_page(declared_catalogue(SETS))

    assert len(page) < 60_000
    assert "From the declarations only" in page
    assert "<svg" not in page


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("colour", ["text", "quiet", "accent", "stable", "warn", "error"])
def test_text_stands_out_from_what_is_behind_it(scheme: int, colour: str) -> None:
    css = files("bnpl_features.catalogue").joinpath("page.css").read_text()
    colours = {name: re.findall(rf"--{name}: #(\w{{6}})", css)[scheme] for name in ("ground", "raised", colour)}

    for behind in ("ground", "raised"):
        assert _contrast(colours[colour], colours[behind]) >= READABLE, behind


def _contrast(one: str, other: str) -> float:
    """The ratio of relative luminances. Source: WCAG 2.2, definition of contrast ratio."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def shown(page: Page) -> list[str]:
    return [str(one.get_attribute("id")) for one in page.locator("details:visible").all()]


def test_words_are_searched_in_name_meaning_and_sql(page: Page) -> None:
    page.get_by_role("searchbox", name="Search").fill("payment_credit_limit latest")

    assert shown(page) == ["credit_utilization_30d"]
    expect(page.get_by_role("status")).to_have_text(f"1 of {len(NAMES)} features")


def test_group_unit_and_null_narrow_together(page: Page) -> None:
    page.get_by_label("Group").select_option("volume")
    page.get_by_label("Unit").select_option("USD")
    assert shown(page) == ["amount_sum_30d", "amount_mean_30d", "amount_max_30d", "amount_std_30d"]

    page.get_by_label("Null").select_option("never null")

    assert shown(page) == ["amount_sum_30d"]


def test_features_are_ordered_by_name_drift_and_importance(page: Page, live: Catalogue) -> None:
    page.get_by_label("Order").select_option("by name")
    assert shown(page) == sorted(NAMES)

    page.get_by_label("Order").select_option("most important first")
    importances = [live.observed[name].importance for name in shown(page)]
    gains = [one.gain_share if one else 0.0 for one in importances]
    assert [round(gain, 6) for gain in gains] == sorted((round(gain, 6) for gain in gains), reverse=True)

    page.get_by_label("Order").select_option("most drift first")
    indices = [live.observed[name].distribution.stability_index for name in shown(page)]  # type: ignore[union-attr]
    assert [round(index or 0, 4) for index in indices] == sorted((round(i or 0, 4) for i in indices), reverse=True)

    page.get_by_label("Order").select_option("as declared")
    assert shown(page) == NAMES


def test_all_of_it_works_from_the_keyboard(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("device share")
    first, second = shown(page)[:2]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(f"#{first} dl")).to_be_visible()

    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.parentElement.id") == second

    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    assert shown(page) == NAMES


def test_a_link_to_a_feature_opens_it(page: Page, page_file: Path) -> None:
    page.goto(f"{page_file.as_uri()}#lifecycle_stage")

    opened = page.locator("#lifecycle_stage")
    expect(opened.locator("dl")).to_be_visible()
    expect(opened).to_be_in_viewport()
    for said in ("WHEN MAX(days_ago) < 30 THEN 'new'", "team:risk-features", "release 0.1.0", "behavioural@1"):
        expect(opened).to_contain_text(said)
    expect(opened.get_by_role("table")).to_contain_text("reactivated")


def test_every_control_has_a_name_and_the_picture_has_its_table(page: Page) -> None:
    page.locator("summary").first.click()

    tree = page.locator("body").aria_snapshot()

    for control in ("Search", "Group", "Unit", "Null", "Order"):
        assert re.search(rf'(searchbox|combobox) "{control}', tree), control
    assert re.search(r'- table "1,\d\d\d customers on 2026-02-0\d"', tree)
    assert "- img" not in tree


def test_a_phone_needs_no_scrolling_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 16


def test_without_script_everything_can_be_read(browser: Browser, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())

    assert page.locator("summary:visible").count() == len(NAMES)
    expect(page.locator("#controls")).to_be_hidden()
    page.locator("#txn_count_7d summary").click()
    expect(page.locator("#txn_count_7d dl")).to_be_visible()
    context.close()
