"""A Feast feature server on the same rows and the same Redis: what the same lookups cost over HTTP, without a score."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.servers import free_port

FEAST = Path(".venv-feast/bin").resolve()
_CONFIGURATION = """project: peer
registry: {registry}
provider: local
online_store:
  type: redis
  connection_string: {server}
entity_key_serialization_version: 3
"""
_READY_SECONDS = 120.0


@contextmanager
def feast_server(folder: Path, vectors: Path, url: str) -> Iterator[int]:
    """The port of a server, one worker, without an access log, once the rows of the Parquet file are materialised."""
    server = urlsplit(url).netloc
    environment = {"FEAST_USAGE": "False", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    worker = Path(__file__).with_name("feast_worker.py")
    words = [str(FEAST / "python"), str(worker), str(folder), str(vectors), server, "1"]
    subprocess.run(words, env=environment, check=True, capture_output=True)
    (folder / "feature_store.yaml").write_text(_CONFIGURATION.format(registry=folder / "registry.db", server=server))
    port = free_port()
    words = [
        str(FEAST / "feast"),
        "-c",
        str(folder),
        "serve",
        "-p",
        str(port),
        "--no-access-log",
        "--max-requests",
        "0",
    ]
    with (folder / "feast.log").open("w") as log:
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_ready(port, folder / "feast.log")
        yield port
    finally:
        process.terminate()
        process.wait()


def feast_body(features: tuple[str, ...]) -> str:
    """A request for all features of one customer; takes the customer's number."""
    names = [f"behavioural:{name}" for name in features]
    return json.dumps({"features": names, "entities": {"customer_id": ["cust_%07d"]}}, separators=(",", ":"))


def _wait_until_ready(port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.5)
    raise SystemExit(f"Feast's server did not start:\n{log.read_text()[-3000:]}")
