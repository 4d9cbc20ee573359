"""Alerts: each fires and stays quiet where it should, reads metrics that exist, and says where to read on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bnpl_features.telemetry.catalogue import CATALOGUE
from bnpl_features.telemetry.metric import Kind
from tests.monitors import program

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES = [
    rule for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
TESTS = sorted((MONITORING / "tests").glob("*.yaml"))
SERIES = {
    series
    for metric in CATALOGUE
    for series in (
        (f"{metric.name}_bucket", f"{metric.name}_sum", f"{metric.name}_count")
        if metric.kind is Kind.HISTOGRAM
        else (metric.name,)
    )
}

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])


def metrics_in(expression: str) -> set[str]:
    """The series that an expression reads, but for those of Prometheus and of recording rules."""
    return set(re.findall(r"\bbnpl_\w+", expression))


def labels_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that is selected by labels, with the labels' names."""
    for name, matchers in re.findall(r"\b(bnpl_\w+)\{([^}]*)\}", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def promtool(*words: str) -> str:
    done = subprocess.run([program("promtool", "prometheus"), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_and_the_example_configuration_are_valid() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", str(MONITORING / "alerts.yaml"))
    promtool("check", "config", str(MONITORING / "prometheus.yml"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_alerts_fire_and_stay_quiet_as_told(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(file))


@each_alert
def test_it_is_told_both_when_it_fires_and_when_it_does_not(alert: dict[str, Any]) -> None:
    told = [
        bool(one["exp_alerts"])
        for file in TESTS
        for case in yaml.safe_load(file.read_text())["tests"]
        for one in case["alert_rule_test"]
        if one["alertname"] == alert["alert"]
    ]

    assert {True, False} <= set(told)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_it_reads_metrics_and_labels_that_are_declared(rule: dict[str, Any]) -> None:
    labels = {metric.name: set(metric.labels) for metric in CATALOGUE}

    assert metrics_in(rule["expr"]) <= SERIES
    for name, selected in labels_in(rule["expr"]):
        assert selected <= (labels.get(name) or labels[name.rpartition("_")[0]]), name


@each_alert
def test_it_says_whom_it_wakes_and_has_its_runbook(alert: dict[str, Any]) -> None:
    page = RUNBOOKS / Path(alert["annotations"]["runbook_url"]).name

    assert alert["labels"]["severity"] in ("page", "ticket")
    assert alert["annotations"]["summary"]
    assert f"`{alert['alert']}`" in page.read_text()


def test_every_runbook_is_of_an_alert() -> None:
    linked = {Path(alert["annotations"]["runbook_url"]).name for alert in ALERTS}

    assert {page.name for page in RUNBOOKS.glob("*.md")} - {"README.md"} == linked


@pytest.mark.parametrize(("severity", "receiver"), [("page", "on-call"), ("ticket", "tickets")])
def test_a_page_wakes_the_person_on_call_and_a_ticket_does_not(severity: str, receiver: str) -> None:
    amtool, file = program("amtool", "prometheus-alertmanager"), str(MONITORING / "alertmanager.yml")

    checked = subprocess.run([amtool, "check-config", file], capture_output=True, text=True)
    routed = subprocess.run(
        [amtool, "config", "routes", "test", "--config.file", file, f"severity={severity}"],
        capture_output=True,
        text=True,
    )

    assert checked.returncode == 0, checked.stderr
    assert routed.stdout.strip() == receiver


def test_what_silences_another_alert_exists() -> None:
    names = {alert["alert"] for alert in ALERTS}
    rules = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())["inhibit_rules"]

    for rule in rules:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            pattern = matcher.partition("=")[2].lstrip("~").strip('"')
            assert any(re.fullmatch(pattern, name) for name in names), matcher
