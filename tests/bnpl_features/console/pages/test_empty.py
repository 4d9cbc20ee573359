"""Before anything was computed, published or trained: each page says what is not there yet, and what brings it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.bnpl_features.store.shop import new_shop


@pytest.fixture(scope="module")
def variables(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        "REDIS_URL": valkey,
        "BNPL_NAMESPACE": new_shop(valkey).namespace,
        "BNPL_WAREHOUSE_FOLDER": str(tmp_path_factory.mktemp("warehouse")),
        "BNPL_MODEL_FOLDER": str(tmp_path_factory.mktemp("models")),
        "BNPL_CONSOLE_DAGSTER_URL": "https://dagster.lender.example/",
    }


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/customer", ["Look a customer up by the id that purchases have"]),
        ("/customer?id=cust_1", ["no version of behavioural@1 is active", "No purchase of this customer was scored"]),
        ("/drift", ["No day was examined yet"]),
        ("/drift/distribution?subject=volume&feature=txn_count_7d", ["no day was examined yet; compute one"]),
        ("/models", ["No model is registered yet: bnpl-features train"]),
        ("/experiments", ["No experiment is running: the champion scores everybody.", "None has ended yet"]),
        ("/experiments/outcome?name=autumn", ["there is no experiment 'autumn'"]),
    ],
)
def test_what_is_not_there_yet_is_said(open_page: Callable[..., Page], path: str, says: list[str]) -> None:
    page = open_page(path)

    for words in says:
        expect(page.get_by_text(words).first).to_be_visible()


@pytest.mark.parametrize(
    ("path", "asset"),
    [("/drift", "drift_report"), ("/models", "model_evaluation"), ("/experiments", "experiment_report")],
)
def test_a_page_links_to_the_asset_in_dagster_that_it_shows(
    open_page: Callable[..., Page], path: str, asset: str
) -> None:
    link = open_page(path).get_by_role("main").get_by_role("link", name="in Dagster")

    expect(link).to_have_attribute("href", f"https://dagster.lender.example/assets/{asset}")
