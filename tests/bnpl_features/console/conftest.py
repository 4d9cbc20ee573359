"""A store with two versions, a lender's warehouse, a console on both, and pages of people signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from bnpl_features.store.embedded import embedded_store
from tests.bnpl_features.console.console import Console, running_console, state_of
from tests.bnpl_features.store.shop import SECRET, Shop, new_shop
from tests.browser import browser, complaints_of
from tests.lender import Lender

__all__ = ["browser"]

_REFUSED = "status of 409 (Conflict)"
"""What Chromium says of a form that is answered with what is wrong with it."""

_STATES: dict[str, object] = {}

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_store(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="module")
def shop(valkey: str) -> Shop:
    """Two versions of the behavioural set: the first retained, the second active."""
    shop = new_shop(valkey)
    shop.publish(300, YESTERDAY - timedelta(days=1))
    shop.publish(310, YESTERDAY, mark=2)
    return shop


@pytest.fixture(scope="module")
def store_variables(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a console with a store, and without a warehouse or models."""
    folder = tmp_path_factory.mktemp("console")
    return {
        "REDIS_URL": shop.url,
        "BNPL_NAMESPACE": shop.namespace,
        "BNPL_CUSTOMER_KEY": SECRET.decode(),
        "BNPL_WAREHOUSE_FOLDER": str(folder / "warehouse"),
        "BNPL_MODEL_FOLDER": str(folder / "models"),
    }


@pytest.fixture(scope="module")
def variables(store_variables: dict[str, str], lender: Lender) -> dict[str, str]:
    """The environment of the console; a module that needs no lender has a cheaper one of its own."""
    return store_variables | lender.variables


@pytest.fixture(scope="module")
def console(variables: dict[str, str]) -> Iterator[Console]:
    with running_console(variables) as running:
        yield running


@pytest.fixture(scope="module")
def state_by_name(browser: Browser, console: Console) -> Callable[[str], Any]:
    """Cookies by user, each signed in once."""

    def state(name: str) -> Any:
        if name not in _STATES:
            _STATES[name] = state_of(browser, console, name)
        return _STATES[name]

    return state


@pytest.fixture
def open_page(browser: Browser, console: Console, state_by_name: Callable[[str], Any]) -> Iterator[Callable[..., Page]]:
    """A function of (path, user="admin", **of the context) -> the page; what pages complain of fails the test."""
    contexts, complaints = [], []

    def opened(path: str, name: str = "admin", **options: Any) -> Page:
        given: dict[str, Any] = {"viewport": {"width": 1200, "height": 900}, "storage_state": state_by_name(name)}
        context = browser.new_context(**given | options)
        contexts.append(context)
        page = context.new_page()
        complaints.append(complaints_of(page))
        page.goto(f"{console.url}{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for some in complaints for text in some if _REFUSED not in text] == []
