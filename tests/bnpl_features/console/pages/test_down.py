"""With parts that are down or empty: each panel says so and what to do, and the page still renders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import accessibility_violations

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing answers: no store, no warehouse, no registry."""
    nothing = tmp_path_factory.mktemp("nothing")
    (nothing / "models").write_text("no folder")
    return {
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "BNPL_WAREHOUSE_FOLDER": str(nothing / "warehouse"),
        "BNPL_MODEL_REGISTRY_URL": f"sqlite:///{nothing}/models/registry.db",
    }


@pytest.mark.parametrize(
    ("path", "heading", "says"),
    [
        ("/customer?id=cust_1", "Customer", "cannot reach the store"),
        ("/customer/scores?id=cust_1", "Recent scores", "cannot reach the store"),
        ("/drift", "Drift", "does not exist; run `bnpl-features simulate`"),
        ("/drift/distribution?subject=volume&feature=txn_count_7d", "txn_count_7d", "does not exist; run"),
        ("/models", "Models", "the model registry at sqlite"),
        ("/experiments", "Experiments", "cannot reach the store"),
        ("/experiments/start", "Start an experiment", "the model registry at sqlite"),
    ],
)
def test_a_part_that_is_down_is_named_where_it_is_missed(open_page: Open, path: str, heading: str, says: str) -> None:
    page = open_page(path)

    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    expect(page.get_by_text(says).first).to_be_visible()
    assert accessibility_violations(page) == []
