"""A lender with profiles of four days and a champion, its catalogue, and a browser to look at the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bnpl_features.catalogue.entries import Catalogue
from bnpl_features.catalogue.observations import live_catalogue
from bnpl_features.catalogue.page import catalogue_page
from bnpl_features.derive.profile import profile_query, profiles_table
from bnpl_features.derive.profiled import group_subject
from bnpl_features.drift.examination import Rules
from bnpl_features.drift.limits import Limits
from bnpl_features.features.catalog import GROUPS, SETS
from bnpl_features.risk_model.registry import CHAMPION, Registry, open_registry, register
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.browser import browser, complaints_of
from tests.lender import SPEC, Lender

DAYS = SPEC.partitions[-4:]

__all__ = ["browser"]


@dataclass(frozen=True)
class Observatory:
    """What a catalogue is made from."""

    warehouse: DuckDBWarehouse
    registry: Registry

    def catalogue(self, reference_days: int = 3, limits: Limits | None = None) -> Catalogue:
        return live_catalogue(SETS, self.warehouse, self.registry, Rules(limits or Limits(), reference_days))


@pytest.fixture(scope="session")
def observatory(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Observatory:
    folder = tmp_path_factory.mktemp("observatory")
    shutil.copytree(lender.folder / "warehouse", folder / "warehouse")
    warehouse = DuckDBWarehouse(folder / "warehouse", threads=1)
    for day in DAYS:
        for subject in map(group_subject, GROUPS):
            warehouse.replace_partition(profiles_table(subject), day, profile_query(subject, day), {})
    registry = open_registry("", folder / "models")
    for model in lender.models.values():
        register(registry, model)
    registry.client.set_registered_model_alias(registry.registered_name("behavioural"), CHAMPION, "1")
    return Observatory(warehouse, registry)


@pytest.fixture(scope="session")
def live(observatory: Observatory) -> Catalogue:
    return observatory.catalogue()


@pytest.fixture(scope="session")
def page_file(live: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "catalogue.html"
    file.write_text(catalogue_page(live), encoding="utf-8")
    return file


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[Page]:
    """The page as opened from the disk; whatever it complains of fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    complaints = complaints_of(opened)
    requests: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(page_file.as_uri())
    yield opened
    context.close()
    assert complaints == []
    assert {url.split("#")[0] for url in requests} == {page_file.as_uri()}
