"""The prediction service's figures: of a real service under load, and where none answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from bnpl_features.console.figures.readings import percentile, read_service
from bnpl_features.console.figures.serving import serving_between
from bnpl_features.errors import ServiceUnavailable
from tests.bnpl_features.console.console import Console
from tests.bnpl_features.scoring.counter import Counter, running
from tests.bnpl_features.store.shop import Shop
from tests.browser import accessibility_violations


@pytest.fixture(scope="module")
def service(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    with running(tmp_path_factory.mktemp("service"), shop.url, shop.namespace) as service:
        yield service


@pytest.fixture(scope="module")
def variables(store_variables: dict[str, str], service: Counter) -> dict[str, str]:
    return store_variables | {"BNPL_CONSOLE_SERVICE_URL": service.url}


def test_what_happened_between_two_readings(service: Counter) -> None:
    before = read_service(service.url)
    for number in range(8):
        service.score(customer_id=f"customer-{number}")
    service.score(customer_id="nobody-knows")
    service.score(customer_id="nobody-either")

    found = serving_between(before, read_service(service.url))

    assert found.predictions_per_second == pytest.approx(10 / found.seconds)
    assert found.hit_share == pytest.approx(0.8)
    assert found.fallback_share == pytest.approx(0.2)
    assert found.fallbacks == {"unknown_customer": pytest.approx(0.2)}
    assert found.failed_share == 0.0
    assert found.p50_seconds is not None
    assert found.p99_seconds is not None
    assert 0 < found.p50_seconds <= found.p99_seconds < 1
    assert found.served_version == 2


def test_percentiles_are_linear_inside_a_bucket() -> None:
    counts = {0.001: 0, 0.01: 100, float("inf"): 100}

    assert percentile(counts, 0.5) == pytest.approx(0.0055)
    assert percentile({0.001: 0, float("inf"): 10}, 0.99) == 0.001
    assert percentile({0.001: 0, float("inf"): 0}, 0.99) is None


def test_where_no_service_answers_the_error_says_what_to_do() -> None:
    with pytest.raises(ServiceUnavailable, match="start it with `bnpl-features serve`"):
        read_service("http://127.0.0.1:9")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_tiles_and_charts(
    open_page: Callable[..., Page], console: Console, service: Counter, scheme: str
) -> None:
    for number in range(4):
        service.score(customer_id=f"customer-{number}")
        console.parts.sampler.read()

    page = open_page("/serving", color_scheme=scheme)

    expect(page.locator(".tile", has_text="Found")).to_contain_text("%")
    expect(page.locator(".uplot canvas")).to_have_count(3)
    expect(page.get_by_role("img", name="Latency, ms")).to_be_visible()
    assert accessibility_violations(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("document.documentElement.scrollWidth <= 360")


def test_figures_follow_without_a_reload(open_page: Callable[..., Page], console: Console, service: Counter) -> None:
    page = open_page("/serving")
    page.evaluate("document.body.dataset.kept = 'yes'")
    for _ in range(3):
        service.score(customer_id="nobody-knows")
        console.parts.sampler.read()

    page.evaluate("htmx.ajax('GET', location.pathname, {target: '#live', source: '#live'})")

    expect(page.get_by_role("row", name="unknown customer").first).to_be_visible()
    assert page.evaluate("document.body.dataset.kept") == "yes"
    expect(page.locator("#live-state")).to_have_text("live")
