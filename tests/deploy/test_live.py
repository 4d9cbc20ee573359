"""Dashboards and runbooks on a deployment that runs: Dagster, a service, a store, Prometheus, node_exporter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bnpl_features.connect.data import open_target
from bnpl_features.monitoring.experiments import experiment_families
from bnpl_features.monitoring.telling import Destinations, tell
from bnpl_features.scoring.experiments.definition import Arm, Request, start
from bnpl_features.scoring.experiments.reporting import report_on
from bnpl_features.scoring.experiments.shelf import StoreShelf, change, read_definitions
from bnpl_features.scoring.prediction_table import Segments, predictions_table
from bnpl_features.scoring.predictions import PredictionLog
from bnpl_features.settings import load_settings
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.versions import State, audit_trail, list_versions, retained_versions
from bnpl_features.streaming.event import encode
from bnpl_features.streaming.redis_source import RedisProducer
from bnpl_features.telemetry.catalogue import CATALOGUE
from bnpl_features.telemetry.metric import Teller
from deploy.monitoring.panels import DASHBOARDS, FOLDER, written
from tests.bnpl_features.scoring.counter import running
from tests.bnpl_features.scoring.test_predictions import record
from tests.bnpl_features.store.shop import free_port, wait_until
from tests.code_location import DAY, PROJECT, CodeLocation, template, valkey
from tests.deploy.test_alerts import ALERTS, MONITORING, RUNBOOKS, SERIES, labels_in, metrics_in
from tests.monitors import Prometheus, node_exporter, program, prometheus

__all__ = ["template", "valkey"]

PANELS = [
    pytest.param(query["expr"], id=f"{dashboard.name}: {panel['title']} {query['refId']}")
    for dashboard in DASHBOARDS
    for panel in json.loads(written(dashboard))["panels"]
    for query in panel["targets"]
]
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
TRIAL = "autumn"
PUBLISHED_BY = '.venv/bin/bnpl-features run --partition $DAY --override-drift "Black Friday, agreed with risk"'
EMPTY_UNLESS = {
    "max by (arm) (bnpl_experiment_default_rate)": "outcomes come 60 days after the purchase",
}
"""Queries that rightly have no data in a deployment that is a minute old, and why."""


def commands() -> Iterator[tuple[str, str]]:
    """Every block of shell in the runbooks, once, with the page where it stands first."""
    seen = set()
    for page in sorted(RUNBOOKS.glob("*.md")):
        for block in FENCE.findall(page.read_text()):
            for command in block.splitlines():
                if command not in seen:
                    seen.add(command)
                    yield page.stem, command


@dataclass(frozen=True)
class Deployment:
    location: CodeLocation
    scoring: str
    prometheus: Prometheus

    @property
    def variables(self) -> dict[str, str]:
        """What an operator's shell has."""
        return {
            **os.environ,
            **self.location.variables,
            "DAGSTER_HOME": str(self.location.folder / "dagster"),
            "PROMETHEUS": self.prometheus.url,
            "SCORING": self.scoring,
            "DAY": DAY.isoformat(),
            "RETAINED": str(self.retained()),
        }

    def retained(self) -> int:
        """A retained version, long after it was active."""
        with open_target(load_settings(self.location.variables).store) as target:
            for version in retained_versions(target.client, target.keyspace):
                an_hour_ago = str(int(time.time()) - 3600)
                target.client.hset(target.keyspace.states, f"{version.number}:since", an_hour_ago)
                return version.number
        return 0

    def run(self, command: str) -> subprocess.Popen[str]:
        words = ["bash", "-euo", "pipefail", "-c", command]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            words, cwd=PROJECT, env=self.variables, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )


@pytest.fixture(scope="module")
def deployment(template: CodeLocation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A day was published by hand, an experiment runs and was reported, purchases were scored, all was scraped."""
    folder = tmp_path_factory.mktemp("deployment")
    told, port = folder / "told", free_port()
    told.mkdir()
    location = template.copy_to(folder).having(BNPL_TEXTFILE_FOLDER=str(told))
    with ExitStack() as stack:
        stack.enter_context(server_settings(location.url, {"maxmemory": "268435456", "slowlog-log-slower-than": "0"}))
        # First of all, since Prometheus begins to scrape five seconds after its start.
        worker = stack.enter_context(stream_worker(location))
        targets = {
            "bnpl-scoring": f"127.0.0.1:{port}",
            "bnpl-stream": worker,
            "node": stack.enter_context(node_exporter(told)),
        }
        monitor = stack.enter_context(prometheus(folder / "prometheus", targets, MONITORING / "alerts.yaml"))
        deployment = Deployment(location, f"http://127.0.0.1:{port}", monitor)
        publishing = deployment.run(PUBLISHED_BY)
        counter = stack.enter_context(
            running(
                folder / "counter", location.url, location.namespace, models=(1, 2), port=port, on_stale="behavioural"
            )
        )
        experiment(location, told)
        wait_until(lambda: counter.score()["experiment"] == TRIAL, "the experiment is picked up")
        printed, _ = publishing.communicate(timeout=60)
        assert publishing.returncode == 0, printed
        wait_until(lambda: len(monitor.query("up == 1")) == len(targets), "everything is scraped", 20.0)
        customers = location.customers()[:40]
        stream = RedisProducer(connect(location.url), Keyspace(location.namespace).purchases, "velocity")
        for number in range(3):  # rates need counters that move between scrapes
            stream.append([event(f"{number}-{customer}", customer) for customer in customers])
            for customer in [*customers, "nobody"]:
                counter.score(customer_id=customer)
            time.sleep(0.6)
        wait_until(lambda: bool(monitor.query("bnpl:score_errors:ratio_rate5m >= 0")), "rules were evaluated", 20.0)
        yield deployment


@contextmanager
def stream_worker(location: CodeLocation) -> Iterator[str]:
    """A worker of the stream; where its metrics are."""
    port = free_port()
    given = {**os.environ, **location.variables, "BNPL_STREAMING_METRICS_PORT": str(port)}
    words = [str(PROJECT / ".venv/bin/bnpl-features"), "stream", "work"]
    process = subprocess.Popen(words, env=given, stdout=subprocess.DEVNULL)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def event(transaction_id: str, customer_id: str) -> bytes:
    return encode(
        {
            "transaction_id": transaction_id,
            "customer_id": customer_id,
            "transaction_timestamp": datetime.now(UTC),
            "amount": 49.99,
            "status": "completed",
            "device_id": "device-1",
            "product_category": "home",
        }
    )


@contextmanager
def server_settings(url: str, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of a server that other tests use afterwards."""
    client = connect(url)
    before = {name: next(iter(client.config_get(name).values())) for name in settings}
    for name, value in settings.items():
        client.config_set(name, value)
    yield
    for name, value in before.items():
        client.config_set(name, value)


def experiment(location: CodeLocation, told: Path) -> None:
    """One that began today, some predictions of it in the warehouse, and its report."""
    settings = load_settings(location.variables)
    today = datetime.now(UTC).date()
    with open_target(settings.store) as target:
        shelf = StoreShelf(target.client, target.keyspace)
        arms = ((Arm("champion"), 0.5), (Arm("new", "behavioural", 2), 0.5))
        request = Request(TRIAL, arms, (Arm("watcher", "behavioural", 2),))
        began = (datetime.now(UTC) - timedelta(minutes=1)).timestamp()
        by = {"actor": "tester", "reason": "test"}
        definitions = change(shelf, lambda found: start(found, request, salt="s", now=began, **by), act="start", **by)
    log = PredictionLog(location.folder / "log")
    for number in range(200):
        log.append(record(number, today, experiment=TRIAL, arm="new" if number % 2 else "champion"))
    log.close()
    batches = Segments(location.folder / "log", today).batches()
    location.warehouse.replace_partition_rows(predictions_table(), today, batches, {})
    running_one = definitions.running
    assert running_one is not None
    source = settings.source.checkout_sql(location.warehouse.columns(settings.source.relation))
    report = report_on(location.warehouse, source, running_one, as_of=today, maturity_days=60)
    tell(Destinations(told), "experiment", experiment_families(TRIAL, report, ()))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.name)
def test_dashboard_files_are_what_is_declared(dashboard: Any) -> None:
    assert (FOLDER / f"{dashboard.name}.json").read_text() == written(dashboard), "run `make docs`"


def test_there_is_no_dashboard_file_that_nobody_declared() -> None:
    assert {file.stem for file in FOLDER.glob("*")} == {dashboard.name for dashboard in DASHBOARDS}


@pytest.mark.parametrize("expression", PANELS)
def test_each_panel_shows_something(deployment: Deployment, expression: str) -> None:
    labels = dict(labels_in(expression))
    assert metrics_in(expression) <= SERIES
    assert all(labels.values())

    found = deployment.prometheus.query(expression.replace("$__rate_interval", "1m"))

    assert bool(found) == (expression not in EMPTY_UNLESS), "no data"


def test_jobs_have_told_exactly_what_is_declared_of_them(deployment: Deployment) -> None:
    folder = Path(deployment.location.settings["BNPL_TEXTFILE_FOLDER"])

    text = "".join(file.read_text() for file in folder.glob("bnpl_*.prom"))

    told = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    live = (Teller.SERVICE, Teller.READER, Teller.STREAM)
    assert told == {metric.name: metric.kind.value for metric in CATALOGUE if metric.teller not in live}


def test_prometheus_runs_every_rule_without_an_error(deployment: Deployment) -> None:
    rules = deployment.prometheus.rules()

    assert {rule["name"] for rule in rules if rule["type"] == "alerting"} == {rule["alert"] for rule in ALERTS}
    assert {rule["health"] for rule in rules} == {"ok"}


def test_features_of_a_day_long_past_make_the_alerts_on_age_wait_or_fire(deployment: Deployment) -> None:
    states = {rule["name"]: rule["state"] for rule in deployment.prometheus.rules() if rule["type"] == "alerting"}

    assert states["BnplPublicationLate"] == "firing"
    assert states["BnplFeaturesOld"] == "pending"
    assert states["BnplStreamDown"] == states["BnplStreamLag"] == "inactive"
    assert states["BnplScoringDown"] == states["BnplMetricsMissing"] == states["BnplPublicationBlocked"] == "inactive"


@pytest.mark.parametrize(
    ("page", "command"),
    [pytest.param(*one, id=f"{one[0]}: {one[1]}") for one in commands() if one[1] != PUBLISHED_BY],
)
def test_each_command_of_a_runbook_works(deployment: Deployment, page: str, command: str) -> None:
    for name in re.findall(r"^(promtool|redis-cli|curl)", command):
        program(name, {"promtool": "prometheus", "redis-cli": "redis-tools", "curl": "curl"}[name])

    done = deployment.run(command)
    printed, _ = done.communicate(timeout=60)

    assert done.returncode == 0, printed
    assert printed.strip() or command.startswith("export")


def test_the_deployment_was_published_by_a_runbooks_command(deployment: Deployment) -> None:
    assert PUBLISHED_BY in [command for _, command in commands()]
    with open_target(load_settings(deployment.location.variables).store) as target:
        reasons = [entry.reason for entry in audit_trail(target.client, target.keyspace)]

    assert f"partition {DAY}" in reasons


def test_after_all_of_them_one_version_is_served_and_the_experiment_has_stopped(deployment: Deployment) -> None:
    with open_target(load_settings(deployment.location.variables).store) as target:
        states = [version.state for version in list_versions(target.client, target.keyspace)]
        definitions = read_definitions(StoreShelf(target.client, target.keyspace))

    assert states.count(State.ACTIVE) == 1
    assert definitions.named(TRIAL).stopped_because == "guardrail"
