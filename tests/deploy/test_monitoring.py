"""Prometheus and Grafana on Kubernetes: whom one scrapes, what the other shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.panels import DASHBOARDS
from tests.deploy.test_alerts import MONITORING, promtool
from tests.deploy.test_kubernetes import container, named, settings, template
from tests.deploy.tools import said

SCRAPES: dict[str, dict[str, Any]] = {
    one["job_name"]: one for one in yaml.safe_load((MONITORING / "kubernetes.yml").read_text())["scrape_configs"]
}
ON_PODS = [name for name, one in SCRAPES.items() if "kubernetes_sd_configs" in one]


def test_prometheus_takes_the_scrapes(tmp_path: Path) -> None:
    """All but how pods are found, which Debian's Prometheus is built without."""
    file = tmp_path / "prometheus.yml"
    without = [{key: value for key, value in one.items() if key != "kubernetes_sd_configs"} for one in SCRAPES.values()]
    file.write_text(yaml.safe_dump({"scrape_configs": without}))

    assert "SUCCESS" in promtool("check", "config", str(file))


def test_every_job_that_an_alert_or_a_panel_asks_for_is_scraped() -> None:
    asked = set(re.findall(r'job="([\w-]+)"', (MONITORING / "alerts.yaml").read_text()))
    asked |= set(re.findall(r'job=\\"([\w-]+)\\"', "".join(file.read_text() for file in MONITORING.glob("*/*.json"))))

    assert asked
    assert asked <= set(SCRAPES)


@pytest.mark.parametrize("job", ON_PODS)
def test_a_job_finds_the_pods_of_a_workload_at_the_port_that_tells(job: str) -> None:
    scrape = SCRAPES[job]
    [kept] = [rule for rule in scrape["relabel_configs"] if rule.get("action") == "keep"]
    name, port = kept["regex"].split(";")
    workload = named("Deployment")[name]

    assert template(workload)["metadata"]["labels"]["app.kubernetes.io/name"] == name
    assert port in {one["name"] for one in container(workload)["ports"]}
    assert scrape["kubernetes_sd_configs"][0]["namespaces"]["names"] == [workload["metadata"]["namespace"]]


def test_runs_push_to_where_it_is_scraped() -> None:
    [target] = SCRAPES["pushgateway"]["static_configs"][0]["targets"]

    assert settings()["BNPL_PUSHGATEWAY_URL"] == f"http://{target}"


def test_the_config_maps_hold_the_alerts_and_every_dashboard() -> None:
    made = yaml.safe_load_all(said("kubectl", "kustomize", MONITORING))
    maps = {one["metadata"]["name"]: one for one in made}
    boards = maps["bnpl-dashboards"]

    assert maps["bnpl-alerts"]["data"]["alerts.yaml"] == (MONITORING / "alerts.yaml").read_text()
    assert set(boards["data"]) == {f"{one.name}.json" for one in DASHBOARDS}
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert all(json.loads(text)["panels"] for text in boards["data"].values())
    assert len(json.dumps(boards)) < 250_000, "what `kubectl apply` keeps of an object in an annotation"
