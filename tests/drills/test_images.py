"""The images of deploy/images, built by buildah on a base of Debian's own, and asked whether their processes start.

The base that the Dockerfile names comes from a registry of images; where none is reached, Debian packages make another:
`apt-get install buildah debootstrap`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.test_images import DOCKERFILE, IMAGES
from tests.deploy.tools import ROOT
from tests.monitors import program

BASE = "localhost/bnpl-features/debian-python"
IMPORTS = {
    "serving": "from bnpl_features.scoring import server; import lightgbm, mlflow, sqlalchemy, psycopg2",
    "stream": "from bnpl_features.streaming import worker; import confluent_kafka, google.cloud.pubsub_v1",
    "pipeline": "import definitions, dagster_postgres, dagster_k8s",
}


def buildah(*words: str | Path) -> str:
    """Without a kernel's help for layers or isolation, which a container that runs the drill may not have."""
    variables = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    command = [program("buildah", "buildah"), *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian with Python, as small as debootstrap makes it."""
    root = tmp_path_factory.mktemp("base")
    packages = "python3,python3-venv,ca-certificates"
    command = [program("debootstrap", "debootstrap"), "--variant=minbase", f"--include={packages}", "bookworm", root]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    container = buildah("from", "scratch")
    buildah("copy", "-q", container, root, "/")
    buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
    buildah("commit", "-q", "--rm", container, BASE)
    yield BASE
    buildah("rmi", "-f", BASE)


@pytest.mark.drill
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_builds_and_its_process_starts_as_nobody_special(image: str, base: str) -> None:
    name = f"localhost/bnpl-features/{image}:drill"
    certificates = os.environ.get("SSL_CERT_FILE")
    mounted = ["-v", f"{certificates}:/etc/ssl/certs/ca-certificates.crt:ro"] if certificates else []

    buildah(
        *("build", "--pull-never", "--network", "host", "--build-arg", f"PYTHON={base}"),
        *(*mounted, "-f", DOCKERFILE, "--target", image, "-t", name, "."),
    )

    container = buildah("from", "--pull-never", name)
    try:
        buildah("run", container, "--", "python", "-c", IMPORTS[image])
        assert buildah("run", container, "--", "id", "-u") == "10001"
        assert buildah("run", container, "--", "bnpl-features", "--version").startswith("bnpl-features, version")
        megabytes = int(buildah("run", container, "--", "du", "-sm", "/opt/bnpl").split()[0])
        print(f"{image}: {megabytes} MB of packages on top of the base")
    finally:
        buildah("rm", container)
        buildah("rmi", "-f", name)
