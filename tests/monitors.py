"""Prometheus and what belongs to it, as real processes on free ports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bnpl_features.store.shop import free_port, wait_until

START_SECONDS = 20.0


def program(name: str, package: str) -> str:
    """The path of a program of a Debian package; laptops may lack it, CI may not."""
    found = shutil.which(name)
    if found is None:
        missing = f"{name} is not installed; apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector, or the scalar as one."""
        answer = fetch(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        groups = fetch(f"{self.url}/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def prometheus(
    folder: Path, targets: Mapping[str, str], rules: Path | None = None, alertmanager: str = ""
) -> Iterator[Prometheus]:
    """Scrapes `targets`, job -> host:port, twice a second; alerts go to `alertmanager`, host:port."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(rules)] if rules else [],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [address]}]} for job, address in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    port = free_port()
    words = [
        program("prometheus", "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with started(words, f"http://127.0.0.1:{port}/-/ready") as url:
        yield Prometheus(url.removesuffix("/-/ready"))


@contextmanager
def alertmanager_of(folder: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    """The address of an Alertmanager."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(dict(settings)))
    port = free_port()
    words = [
        program("prometheus-alertmanager", "prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with started(words, f"http://127.0.0.1:{port}/-/ready"):
        yield f"127.0.0.1:{port}"


@contextmanager
def node_exporter(textfiles: Path) -> Iterator[str]:
    """The address of a node_exporter that knows nothing but the textfiles of a folder."""
    port = free_port()
    words = [
        program("prometheus-node-exporter", "prometheus-node-exporter"),
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={textfiles}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with started(words, f"http://127.0.0.1:{port}/metrics"):
        yield f"127.0.0.1:{port}"


@contextmanager
def pushgateway() -> Iterator[str]:
    port = free_port()
    words = [program("prometheus-pushgateway", "prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}"]
    with started(words, f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def started(words: list[str], answers_at: str) -> Iterator[str]:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_answering(answers_at), f"{words[0]} answers", START_SECONDS)
        yield answers_at
    finally:
        process.terminate()
        process.wait()


def is_answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as found:
            return bool(found.status == 200)
    except OSError:
        return False


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as found:
        return json.loads(found.read())
