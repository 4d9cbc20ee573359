"""A browser to look at pages with, what it complains of, and what an accessibility checker finds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=20_000)
"""A busy machine may take its time; what is awaited is there long before on a quiet one."""

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_AXE = Path(__file__).parent / "axe" / "axe-4.14.1.min.js"
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the session: while Playwright runs, its thread has an event loop, and other tests could start none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI has no browser; apt-get install chromium-headless-shell")
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


def complaints_of(page: Page) -> list[str]:
    """Filled from now on with what the page writes to the console, and with its errors."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def accessibility_violations(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA: rule, and the elements at fault.

    In the dark theme only contrasts are looked at: all else is the same as in the light one.
    """
    # Evaluated by the debugger, which the page's content security policy does not bind.
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    found = page.evaluate("run => axe.run(document, {runOnly: run})", ["color-contrast"] if is_dark else _STANDARDS)
    return [
        f"{one['id']}: {[node['html'][:160] for node in one['nodes']]}: {one['nodes'][0]['failureSummary']}"
        for one in found["violations"]
    ]
