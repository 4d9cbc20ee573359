"""The pictures of docs/console.md, taken anew after `make demo`: all, or those named.

    python -m tests.screenshots [versions ...]

Opens everything as `make up` does, lets the simulated day run until charts have something to show, and looks at each
page in both themes.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from bnpl_features.connect.data import open_warehouse
from bnpl_features.derive.query import Query
from bnpl_features.settings import load_settings
from tests.browser import BROWSERS

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "images"
PORTS = {"--port": 3033, "--console-port": 8097, "--service-port": 8087}
PAGES = {
    "overview": "/",
    "versions": "/versions",
    "serving": "/serving",
    "catalogue": "/catalogue",
    "customer": "/customer?id={customer}",
    "drift": "/drift",
    "models": "/models",
    "experiments": "/experiments",
}
CHOSEN = sys.argv[1:] or list(PAGES)
EXPERIMENT = f"checkout-{time.strftime('%H%M')}"
WATCHED_SECONDS = 120
WIDTH, HEIGHT = 1200, 780
_COLOURS = 128


def main() -> None:
    words = [word for option, port in PORTS.items() for word in (option, str(port))]
    program = Path(sys.executable).with_name("bnpl-features")
    process = subprocess.Popen(
        [program, "up", *words, "--per-second", "8"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        arms = ["--arm", "champion=0.5", "--arm", "checkout=0.5:transaction_only@1"]
        experiment = ["experiments", "start", EXPERIMENT, *arms]
        found = next(filter(None, (re.search(r"with the password (\S+)", line) for line in process.stdout)))
        subprocess.run([program, *experiment, "--reason", "does the customer's history pay?"], cwd=ROOT, check=True)
        time.sleep(WATCHED_SECONDS)
        with sync_playwright() as playwright:
            executable = next(filter(None, map(shutil.which, BROWSERS)))
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            _take(browser, f"http://127.0.0.1:{PORTS['--console-port']}", found[1])
            browser.close()
        subprocess.run([program, "experiments", "stop", EXPERIMENT, "--reason", "seen"], cwd=ROOT, check=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _customer() -> str:
    """Who bought most, so that there is something to see."""
    query = Query("SELECT customer_id FROM feature_vectors ORDER BY partition_date DESC, txn_count_30d DESC LIMIT 1")
    rows = [row for batch in open_warehouse(load_settings().warehouse).read(query, {}) for row in batch.to_pylist()]
    return str(rows[0]["customer_id"])


def _take(browser: Browser, url: str, password: str) -> None:
    pages = {name: address.format(customer=_customer()) for name, address in PAGES.items() if name in CHOSEN}
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/")
    state = context.storage_state()
    # What is looked up beside a page is there when it is looked at.
    for address in pages.values():
        page.goto(url + address)
    time.sleep(15)
    FOLDER.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        themed = browser.new_context(
            storage_state=state, color_scheme=theme, viewport={"width": WIDTH, "height": HEIGHT}
        )
        for name, address in pages.items():
            shown = themed.new_page()
            shown.goto(url + address)
            shown.wait_for_timeout(3_000)
            path = FOLDER / f"console-{name}-{theme}.png"
            shown.screenshot(path=path)
            Image.open(path).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
            shown.close()


if __name__ == "__main__":
    main()
