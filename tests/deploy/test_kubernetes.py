"""Kubernetes: rendered by kustomize, held to the API's schemas, and to what the processes need."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
import yaml
from dagster import DagsterRun
from dagster._config import process_config
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from kubernetes.client import ApiClient

from bnpl_features.console.access.configured import Access, access_of
from bnpl_features.console.serving import STOP_SECONDS
from bnpl_features.settings import load_settings
from tests.bnpl_features.store.shop import free_port
from tests.deploy.commands import PROGRAMS, parse
from tests.deploy.tools import DEPLOY, said, unknown_settings, without_instance_settings

FOLDER = DEPLOY / "kubernetes"
OVERLAYS = ["gke"]
INSTANCE = without_instance_settings((FOLDER / "base" / "dagster.yaml").read_text())


@cache
def rendered(overlay: str = "gke") -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(said("kubectl", "kustomize", FOLDER / overlay)))


def named(kind: str, overlay: str = "gke") -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in rendered(overlay) if one["kind"] == kind}


def settings() -> dict[str, str]:
    found: dict[str, str] = named("ConfigMap")["bnpl-settings"]["data"]
    return found


@pytest.fixture(scope="module")
def run_job(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The Job that Dagster's launcher makes of a run; made, not sent."""
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
    kubeconfig = {
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "c", "user": {"token": "none"}}],
        "current-context": "c",
    }
    file = tmp_path_factory.mktemp("kubernetes") / "config"
    file.write_text(yaml.safe_dump(kubeconfig))
    config = INSTANCE["run_launcher"]["config"] | {"load_incluster_config": False, "kubeconfig_file": str(file)}
    processed = process_config(K8sRunLauncher.config_type(), config)
    assert processed.success, processed.errors
    launcher = K8sRunLauncher(**processed.value)
    given = launcher.get_container_context_for_run(DagsterRun(job_name="daily_features"))
    job = construct_dagster_k8s_job(
        given.get_k8s_job_config(image(named("Deployment")["dagster-code"]), launcher),
        args=["dagster", "api", "execute_run"],
        job_name="run",
        user_defined_k8s_config=given.run_k8s_config,
    )
    made: dict[str, Any] = ApiClient().sanitize_for_serialization(job)
    return made


def template(workload: dict[str, Any]) -> dict[str, Any]:
    spec = workload["spec"].get("jobTemplate", workload)["spec"]
    found: dict[str, Any] = spec["template"]
    return found


def container(workload: dict[str, Any]) -> dict[str, Any]:
    [only] = template(workload)["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def image(workload: dict[str, Any]) -> str:
    return str(container(workload)["image"])


def processes() -> dict[str, dict[str, Any]]:
    return {**named("Deployment"), **named("CronJob")}


PROCESSES = ["dagster-code", "dagster-webserver", "dagster-daemon", "scoring", "stream", "console", "metrics"]
each_process = pytest.mark.parametrize("name", PROCESSES)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_what_the_api_says(overlay: str, tmp_path: Path) -> None:
    file = tmp_path / "rendered.yaml"
    file.write_text(yaml.safe_dump_all(rendered(overlay)))

    assert "passed" in said("kubernetes-validate", "--strict", file)


def test_a_runs_pod_is_what_the_api_says(run_job: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(json.dumps(run_job))

    assert "passed" in said("kubernetes-validate", "--strict", file)


def test_these_are_all_the_processes() -> None:
    assert set(processes()) == set(PROCESSES)


@each_process
def test_what_a_container_starts_exists(name: str) -> None:
    one = container(processes()[name])
    words = one.get("command", []) + one.get("args", [])

    parse(words if words[0] in PROGRAMS else ["bnpl-features", *words])


@pytest.mark.parametrize("name", [*PROCESSES, "a run"])
def test_nobody_is_root_and_nothing_is_written_beside_volumes(name: str, run_job: dict[str, Any]) -> None:
    workload = {**processes(), "a run": run_job}[name]
    pod, own = template(workload)["spec"], container(workload)["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"]["drop"] == ["ALL"]


@pytest.mark.parametrize("name", [*PROCESSES, "a run"])
def test_every_container_asks_for_what_it_needs_and_has_a_limit_of_memory(name: str, run_job: dict[str, Any]) -> None:
    resources = container({**processes(), "a run": run_job}[name])["resources"]

    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("name", [*PROCESSES, "a run"])
def test_what_a_pod_refers_to_exists_and_a_secret_is_only_referred_to(name: str, run_job: dict[str, Any]) -> None:
    workload = {**processes(), "a run": run_job}[name]
    pod, own = template(workload)["spec"], container(workload)
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}

    assert {mount["name"] for mount in own.get("volumeMounts", [])} <= set(volumes)
    assert pod["serviceAccountName"] in named("ServiceAccount")
    for volume in volumes.values():
        config_map = volume.get("configMap", {})
        assert config_map.get("optional") or config_map.get("name", "dagster-instance") in named("ConfigMap")
        assert volume.get("persistentVolumeClaim", {}).get("claimName", "bnpl-shared") in named("PersistentVolumeClaim")
    for source in own["envFrom"]:
        assert source.get("configMapRef", {}).get("name", "bnpl-settings") in named("ConfigMap")
    assert named("Secret") == {}


@each_process
def test_every_process_that_stays_is_probed_where_it_listens(name: str) -> None:
    if name == "metrics":
        assert processes()[name]["kind"] == "CronJob"
        return
    one = container(processes()[name])
    probes = [probe for key, probe in one.items() if key.endswith("Probe")]

    assert probes
    for probe in probes:
        if "httpGet" in probe:
            assert probe["httpGet"]["port"] in {port["name"] for port in one["ports"]}
        elif "grpc" in probe:
            assert probe["grpc"]["port"] in {port["containerPort"] for port in one["ports"]}
        else:
            parse(probe["exec"]["command"])


def test_the_code_server_answers_to_the_name_that_its_probes_ask_for(tmp_path: Path) -> None:
    [service] = {
        probe["grpc"]["service"]
        for key, probe in container(named("Deployment")["dagster-code"]).items()
        if key.endswith("Probe")
    }
    (tmp_path / "nothing.py").write_text("from dagster import Definitions\n\ndefs = Definitions()\n")
    port = free_port()
    command = [sys.executable, "-m", "dagster", "api", "grpc", "-h", "127.0.0.1", "-p", str(port), "-f", "nothing.py"]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            asked = HealthCheckRequest(service=service)
            answered = HealthStub(channel).Check(asked, timeout=60, wait_for_ready=True)
    finally:
        server.kill()
        server.wait()

    assert answered.status == HealthCheckResponse.SERVING


def test_a_run_is_ended_neither_to_save_a_node_nor_for_predictions_which_go_first(run_job: dict[str, Any]) -> None:
    annotations = template({"spec": run_job["spec"]})["metadata"]["annotations"]
    [serving] = named("PriorityClass").values()

    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert serving["value"] > 0
    assert serving["preemptionPolicy"] == "Never"
    assert "priorityClassName" not in template(run_job)["spec"]
    for name in ("scoring", "stream"):
        assert template(named("Deployment")[name])["spec"]["priorityClassName"] == serving["metadata"]["name"]


def test_a_runs_pod_has_the_image_of_the_code_server(run_job: dict[str, Any]) -> None:
    code = container(named("Deployment")["dagster-code"])

    [told] = [one["value"] for one in code["env"] if one["name"] == "DAGSTER_CURRENT_IMAGE"]

    assert told == code["image"] == image({"spec": run_job["spec"]})


def test_a_run_and_the_code_server_have_the_same_settings(run_job: dict[str, Any]) -> None:
    sources = [container(one)["envFrom"] for one in (run_job, named("Deployment")["dagster-code"])]
    names = [sorted(next(iter(ref.values()))["name"] for ref in source) for source in sources]

    assert names[0] == names[1]


@pytest.mark.parametrize("name", [*PROCESSES, "a run"])
def test_every_pod_finds_the_stores_certificate_authority_where_terraform_says(
    name: str, run_job: dict[str, Any]
) -> None:
    own = container({**processes(), "a run": run_job}[name])
    [file] = re.findall(r"ssl_ca_certs=([\w./-]+)", (DEPLOY / "terraform" / "outputs.tf").read_text())

    assert file.rpartition("/")[0] in {mount["mountPath"] for mount in own["volumeMounts"]}


def test_settings_that_are_given_exist() -> None:
    assert unknown_settings(set(settings())) == set()


@pytest.mark.parametrize("name", ["scoring", "stream"])
def test_what_serves_grows_with_its_load_and_survives_the_loss_of_a_node(name: str) -> None:
    deployment = named("Deployment")[name]
    scaler, budget = named("HorizontalPodAutoscaler")[name]["spec"], named("PodDisruptionBudget")[name]["spec"]
    labels = template(deployment)["metadata"]["labels"]

    assert "replicas" not in deployment["spec"], "the autoscaler's to say"
    assert scaler["scaleTargetRef"]["name"] == name
    assert scaler["minReplicas"] >= 2
    assert budget["maxUnavailable"] < scaler["minReplicas"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    spread = template(deployment)["spec"]["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_pod_of_the_service_has_the_time_to_answer_what_it_has_accepted() -> None:
    grace = template(named("Deployment")["scoring"])["spec"]["terminationGracePeriodSeconds"]
    probe = container(named("Deployment")["scoring"])["readinessProbe"]
    drain = float(settings()["BNPL_SCORING_DRAIN_SECONDS"])

    assert probe["periodSeconds"] * probe["failureThreshold"] < drain < grace


def console_access() -> Access:
    """As the console reads it, with secrets of the test's own."""
    return access_of(load_settings({**settings(), "BNPL_CONSOLE_SESSION_KEY": "k" * 32}).console)


def test_the_consoles_settings_let_people_in_by_the_provider_alone() -> None:
    access = console_access()

    assert access.encrypted
    assert access.provider is not None
    assert access.users_file is None
    assert not access.local_users()


def test_the_console_is_probed_by_a_name_that_it_answers_to() -> None:
    probes = [probe for key, probe in container(named("Deployment")["console"]).items() if key.endswith("Probe")]

    assert len(probes) == 3
    for probe in probes:
        [host] = [one["value"] for one in probe["httpGet"]["httpHeaders"] if one["name"] == "Host"]
        assert host in console_access().host_names


def test_a_console_that_ends_answers_until_nobody_is_sent_to_it() -> None:
    pod = template(named("Deployment")["console"])["spec"]
    asleep = container(named("Deployment")["console"])["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert asleep + STOP_SECONDS < pod["terminationGracePeriodSeconds"]


def test_the_console_writes_no_file_and_has_no_rights_in_the_cluster() -> None:
    console = named("Deployment")["console"]
    [shared] = [one for one in container(console)["volumeMounts"] if one["name"] == "shared"]
    account = named("ServiceAccount")[template(console)["spec"]["serviceAccountName"]]

    assert shared["readOnly"] is True
    assert account["automountServiceAccountToken"] is False


def test_the_console_reads_the_counts_of_one_pod_and_may_ask_it() -> None:
    service = named("Service")[str(urlsplit(settings()["BNPL_CONSOLE_SERVICE_URL"]).hostname)]["spec"]
    asked = [source.get("podSelector", {}).get("matchLabels", {}) for source in sources("scoring")]

    assert service["sessionAffinity"] == "ClientIP"
    assert {"app.kubernetes.io/name": "console"} in asked


@pytest.mark.parametrize(
    ("name", "askers"),
    [
        ("dagster-code", {"dagster-webserver", "dagster-daemon"}),
        ("dagster-webserver", set()),
        ("dagster-daemon", set()),
        ("scoring", {"bnpl-features/scores", "console", "kubernetes.io/metadata.name"}),
        ("stream", {"kubernetes.io/metadata.name"}),
        ("console", {"bnpl-features/proxies-console"}),
    ],
)
def test_nobody_asks_a_pod_but_who_is_named(name: str, askers: set[str]) -> None:
    assert named("NetworkPolicy")["nobody-by-default"]["spec"]["podSelector"] == {}
    found = set()
    for source in sources(name):
        pod = source.get("podSelector", {}).get("matchLabels", {})
        namespace = source.get("namespaceSelector", {}).get("matchLabels", {})
        found |= {*pod.values(), *namespace}
    assert found == askers


def sources(name: str) -> list[dict[str, Any]]:
    """Who may ask the pods of a workload."""
    found = []
    for policy in named("NetworkPolicy").values():
        selector = policy["spec"]["podSelector"]
        chosen = {
            *selector.get("matchLabels", {}).values(),
            *(value for one in selector.get("matchExpressions", []) for value in one["values"]),
        }
        if name in chosen:
            found += [source for rule in policy["spec"]["ingress"] for source in rule["from"]]
    return found


def test_there_is_never_a_second_daemon() -> None:
    daemon = named("Deployment")["dagster-daemon"]["spec"]

    assert (daemon["replicas"], daemon["strategy"]["type"]) == (1, "Recreate")


def test_every_service_reaches_a_port_of_its_pods() -> None:
    for name, service in named("Service").items():
        pods = named("Deployment")[service["spec"]["selector"]["app.kubernetes.io/name"]]
        ports = {port["name"] for port in container(pods)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name


def test_the_instance_is_that_of_the_repository_with_postgres_and_a_pod_for_each_run() -> None:
    assert INSTANCE["storage"] == {"postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}}
    assert INSTANCE["run_launcher"]["class"] == "K8sRunLauncher"
    assert INSTANCE["run_launcher"]["config"]["instance_config_map"] in named("ConfigMap")
    assert INSTANCE["run_launcher"]["config"]["job_namespace"] == rendered()[0]["metadata"]["name"]
