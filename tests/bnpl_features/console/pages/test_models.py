"""The pages of models and experiments in a browser; each act does what it says, and is audited."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bnpl_features.console.figures.models import models
from bnpl_features.store.versions import audit_trail
from tests.bnpl_features.console.desk import EXPERIMENT, Desk, new_desk
from tests.bnpl_features.store.shop import new_shop
from tests.browser import accessibility_violations
from tests.lender import Lender

Open = Callable[..., Page]
OUTCOME = f"/experiments/outcome?name={EXPERIMENT}"
PATHS = [
    "/models",
    "/models/promote?name=behavioural&version=2",
    "/experiments",
    OUTCOME,
    "/experiments/start",
    f"/experiments/shares?name={EXPERIMENT}",
    f"/experiments/stop?name={EXPERIMENT}",
]


@pytest.fixture(scope="module")
def desk(valkey: str, lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One of its own: here things are changed."""
    return new_desk(lender, new_shop(valkey), tmp_path_factory.mktemp("desk"), profiled=False)


@pytest.mark.parametrize(
    ("path", "scheme"), [*((path, "light") for path in PATHS), ("/models", "dark"), (OUTCOME, "dark")]
)
def test_the_pages_are_accessible(open_page: Open, path: str, scheme: str) -> None:
    page = open_page(path, color_scheme=scheme)
    expect(page.get_by_text("Looking …")).to_have_count(0)

    assert accessibility_violations(page) == []


def test_champion_and_challenger_stand_side_by_side(open_page: Open) -> None:
    page = open_page("/models", "viewer")

    row = page.get_by_label("Figures of behavioural").get_by_role("row", name="roc auc")
    expect(row).to_contain_text("to")
    expect(page.get_by_label("Figures of behavioural").get_by_role("columnheader")).to_contain_text(
        ["Metric", "Champion 1", "Challenger 2", "Rules"]
    )
    expect(page.get_by_role("link", name="Promote")).to_have_count(0)


def test_the_gate_is_asked_and_a_version_promoted_in_the_background(open_page: Open, desk: Desk) -> None:
    page = open_page("/models")
    page.get_by_role("link", name="Promote … behavioural 2").click()
    page.get_by_role("button", name="Only ask the gate").click()
    expect(page.get_by_text("The gate would let it pass.")).to_be_visible(timeout=20_000)
    assert models(desk.registry).attempts == ()

    page.goto(page.url.replace("/jobs/models", "/models/promote?name=behavioural&version=2"))
    page.get_by_label("Why").fill("trained on October")
    page.get_by_role("button", name="Promote").click()

    expect(page.get_by_text("Version 2 of behavioural is the champion (promoted), 1 was it before.")).to_be_visible(
        timeout=20_000
    )
    attempt = models(desk.registry).attempts[0]
    assert (attempt.outcome, attempt.actor, attempt.reason) == ("promoted", "admin", "trained on October")
    newest = audit_trail(desk.shop.client, desk.shop.keyspace, 1)[0]
    assert (newest.act, newest.actor, newest.reason) == ("promote behavioural 2", "admin", "trained on October")


def test_only_models_that_there_are_can_be_asked_for(open_page: Open, desk: Desk) -> None:
    page = open_page("/models")
    token = page.locator("input[name=csrf]").first.get_attribute("value") or ""
    here = page.url.removesuffix("/models")

    assert page.request.get(f"{here}/models/promote?name=x' OR name='y&version=1").status == 404
    arm = {"csrf": token, "reason": "x", "experiment": "spring", "control": "50", "name1": "new", "share1": "50"}
    refused = page.request.post(f"{here}/experiments/start", form=arm | {"model1": "x' OR name='y@1"})
    assert refused.status == 409
    assert "arm new has no model; choose one" in refused.text()


def test_the_outcome_is_fetched_after_the_page(open_page: Open) -> None:
    page = open_page("/experiments", "viewer")

    expect(page.get_by_role("region", name="What came of it").get_by_role("row", name="champion")).to_be_visible()
    expect(page.get_by_text("no guardrail is touched")).to_be_visible()
    expect(page.get_by_role("link", name="Stop")).to_have_count(0)


def test_shares_are_changed_an_experiment_stopped_and_another_started(open_page: Open, desk: Desk) -> None:
    page = open_page("/experiments", "operator")
    page.get_by_role("link", name="Change shares").click()
    page.get_by_label("new, share in percent").fill("90")
    page.get_by_label("Why").fill("no harm in a week")
    page.get_by_role("button", name="Change shares").click()
    expect(page.get_by_role("alert")).to_contain_text("together at most 1")
    expect(page.get_by_label("Why")).to_have_value("no harm in a week")
    page.get_by_label("new, share in percent").fill("50")
    page.get_by_role("button", name="Change shares").click()
    expect(page.get_by_text("has its new shares")).to_be_visible()

    page.get_by_role("link", name="Stop").click()
    page.get_by_label("Why").fill("decided")
    page.get_by_role("button", name=f"Stop {EXPERIMENT}").click()
    expect(page.get_by_text(f"Experiment {EXPERIMENT} is stopped")).to_be_visible()

    page.get_by_role("link", name="Start an experiment").click()
    page.get_by_label("Name").first.fill("winter")
    page.get_by_label("Share in percent; empty").fill("80")
    arm = page.get_by_role("group", name="Arm 1")
    arm.get_by_label("Name").fill("new")
    arm.get_by_label("Model").select_option("velocity@1")
    arm.get_by_label("Share in percent").fill("20")
    page.get_by_label("Why").fill("velocity alone")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Experiment winter is running")).to_be_visible()
    expect(page.get_by_role("region", name="Running").get_by_role("row", name="new")).to_contain_text("velocity 1")

    trail = audit_trail(desk.shop.client, desk.shop.keyspace, 50)
    assert [(one.act, one.actor, one.reason) for one in trail if "experiment" in one.act][:3] == [
        ("start experiment winter", "operator", "velocity alone"),
        (f"stop experiment {EXPERIMENT}", "operator", "decided"),
        (f"change shares of experiment {EXPERIMENT}", "operator", "no harm in a week"),
    ]
