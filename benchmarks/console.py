"""How long a page of the console takes until it can be used, in a browser, with customers in the store.

python -m benchmarks.console [customers]
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pyarrow as pa
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.servers import free_port, redis_server
from benchmarks.store import BATCH_ROWS, KEY, YESTERDAY, random_vectors
from benchmarks.table import print_table
from bnpl_features.console.access.configured import access_of
from bnpl_features.console.access.local_users import read_line, user_line
from bnpl_features.console.access.roles import Role
from bnpl_features.console.app import create_app
from bnpl_features.console.parts import open_parts
from bnpl_features.console.serving import server_config
from bnpl_features.derive.layout import layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.settings import load_settings
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.target import Target

PATHS = ("/", "/versions", "/versions/2", "/customer?id=cust_0000042", "/serving", "/catalogue", "/audit")
REPEATS = 7
BROWSERS = ("chromium-headless-shell", "chromium")
PASSWORD = "only for the benchmark"


def main(customers: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder) / "redis") as redis_url:
        if redis_url:
            _measure(redis_url, Path(folder), customers)
            return
        with embedded_store(Path(folder) / "valkey") as url:
            _measure(url, Path(folder), customers)


def _measure(url: str, folder: Path, customers: int) -> None:
    target = Target(connect(url), Keyspace("bench"), CustomerKey(KEY))
    for back in (1, 0):
        layout = layout_of(BEHAVIOURAL)
        publish(
            target,
            layout,
            customer_batches(_vectors(customers), layout),
            partition=YESTERDAY - timedelta(days=back),
            customers=customers,
            provenance=Provenance("bench", actor="bench"),
        )
    variables = {
        "REDIS_URL": url,
        "BNPL_NAMESPACE": "bench",
        "BNPL_CUSTOMER_KEY": KEY.decode(),
        "BNPL_WAREHOUSE_FOLDER": str(folder / "warehouse"),
        "BNPL_MODEL_FOLDER": str(folder / "models"),
    }
    with _console(variables) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, BROWSERS))), args=["--no-sandbox"]
        )
        rows = [(path, *_timed(page, address + path)) for page in [_signed_in(browser, address)] for path in PATHS]
        browser.close()
    print_table(
        f"Pages with {customers:,} customers in each of two versions, milliseconds, median and largest of {REPEATS}",
        ("page", "at the server", "interactive", "largest"),
        rows,
    )


def _vectors(customers: int) -> Iterator[pa.RecordBatch]:
    (one,) = random_vectors(layout_of(BEHAVIOURAL), BATCH_ROWS)
    for start in range(0, customers, BATCH_ROWS):
        rows = min(BATCH_ROWS, customers - start)
        ids = pa.array([f"cust_{number:07d}" for number in range(start, start + rows)])
        yield one.slice(0, rows).set_column(one.schema.get_field_index("customer_id"), "customer_id", ids)


@contextmanager
def _console(variables: dict[str, str]) -> Iterator[str]:
    settings, port = load_settings(variables), free_port()
    users = {"admin": read_line(user_line("admin", Role.ADMIN, PASSWORD))}
    with open_parts(settings, watch=True) as parts:
        app = create_app(parts, access_of(settings.console, users))
        server = uvicorn.Server(server_config(app, "127.0.0.1", port))
        thread = Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


def _signed_in(browser: Browser, address: str) -> Page:
    page = browser.new_page()
    page.goto(address)
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")
    return page


def _timed(page: Page, url: str) -> tuple[str, str, str]:
    """From the start of navigation; the browser has style and scripts after the first page, as an operator's has."""
    served, interactive = [], []
    for _ in range(REPEATS):
        page.goto(url)
        found = page.evaluate(
            "(() => { const one = performance.getEntriesByType('navigation')[0];"
            " return [one.serverTiming[0].duration, one.domContentLoadedEventEnd]; })()"
        )
        served.append(found[0])
        interactive.append(found[1])
    return f"{statistics.median(served):.1f}", f"{statistics.median(interactive):.0f}", f"{max(interactive):.0f}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
