"""Databases that earlier releases of Dagster and MLflow made, brought up by the commands of docs/upgrades.md, and read.

The earlier releases come from the package index, into an environment of their own.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from assets.gate import examine
from automation.jobs import DAILY_JOB
from bnpl_features.errors import RegistryUnavailable
from bnpl_features.risk_model import registry_schema
from bnpl_features.risk_model.model_files import write_model
from bnpl_features.risk_model.registry import CHAMPION, evaluation_of, load_model, open_registry, register, versions
from tests.bnpl_features.scoring.checkout import model
from tests.code_location import DAY, CodeLocation, check_key, job_of, valkey, why
from tests.deploy.tools import DEPLOY, ROOT
from tests.postgres import postgres, rows

__all__ = ["valkey"]

EARLIER = ("dagster==1.7.16", "dagster-postgres==0.23.16", "six", "mlflow-skinny==3.1.4", "sqlalchemy<2.1", "alembic")
"""Two years and one and a half before the releases of constraints.txt; six is what that Dagster forgot to ask for."""
EARLIER_DAY = "2024-06-01"
HERE = Path(__file__).parent
REVISION = "SELECT version_num FROM alembic_version"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the earlier releases."""
    folder = tmp_path_factory.mktemp("earlier")
    uv, python = str(ROOT / ".venv" / "bin" / "uv"), folder / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--allow-existing", str(folder)], check=True)
    wanted = [*EARLIER, "psycopg2-binary", "setuptools<80"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *wanted], check=True)
    return python


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    with postgres("dagster", "mlflow") as made:
        yield made


def ran(*words: str | Path, **variables: str) -> str:
    done = subprocess.run(
        list(map(str, words)), cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.mark.drill
def test_dagster_instance_migrate_keeps_runs_and_the_gate_goes_on(
    earlier: Path, urls: dict[str, str], valkey: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, home = urls["dagster"], tmp_path / "dagster"
    home.mkdir()
    variables = {"DAGSTER_POSTGRES_URL": url, "DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    # The settings of a release that knew fewer.
    (home / "dagster.yaml").write_text("storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}\n")
    ran(earlier, HERE / "earlier_dagster.py", home, EARLIER_DAY, **variables)
    before = rows(url, REVISION)
    shipped = (DEPLOY / "compose" / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(shipped.replace("/var/lib/bnpl", str(tmp_path / "data")))

    said = ran(ROOT / ".venv" / "bin" / "dagster", "instance", "migrate", **variables)

    after = rows(url, REVISION)
    assert before != after
    assert said.count(f"current: {after[0][0]}") >= 3, "runs, events, schedules"
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    location = CodeLocation(tmp_path, valkey, f"test-{secrets.token_hex(4)}")
    (tmp_path / "warehouse").mkdir()
    location.receive()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        [run] = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert instance.get_materialized_partitions(dg.AssetKey("feature_volume")) == {EARLIER_DAY}
        verdict = examine(instance, [check_key("feature_volume", "schema")], EARLIER_DAY, dg.AssetKey("feature_volume"))
        # That Dagster kept no partition of a check; the gate does not take it for one of the day.
        assert [refusal for refusal in verdict.refusals if "did not run" in refusal]
        result = job_of(DAILY_JOB).execute_in_process(
            instance=instance, partition_key=DAY.isoformat(), run_config=location.run_config, raise_on_error=False
        )
        assert result.success, why(result)
        assert len(instance.get_runs()) == 2
    served = location.served()
    assert served is not None
    assert served.partition_date == DAY
    print(f"Dagster's schema {before[0][0]} to {after[0][0]}")


@pytest.mark.drill
def test_mlflow_db_upgrade_keeps_versions_and_what_they_score(
    earlier: Path, urls: dict[str, str], tmp_path: Path
) -> None:
    url, shared = urls["mlflow"], tmp_path / "models"
    made = model()
    files = write_model(made, tmp_path / "files")
    given = [files, (shared / "artifacts" / "training").as_uri(), f"bnpl_{made.name}"]
    tags = json.dumps({"fingerprint": made.fingerprint, "actor": "ann"})
    ran(earlier, HERE / "earlier_mlflow.py", url, *given, tags)
    before = rows(url, REVISION)
    registry_schema.require_present_schema.cache_clear()

    with pytest.raises(RegistryUnavailable, match="mlflow db upgrade"):
        open_registry(url, shared)

    assert rows(url, REVISION) == before
    assert "1" in ran(earlier, HERE / "earlier_mlflow.py", url).splitlines(), "the earlier release goes on"

    ran(ROOT / ".venv" / "bin" / "mlflow", "db", "upgrade", url)

    after = rows(url, REVISION)
    registry = open_registry(url, shared)
    [version] = versions(registry, made.name)
    assert after != before
    assert (version.number, version.aliases, version.tags["actor"]) == (1, (CHAMPION,), "ann")
    assert evaluation_of(registry, version) is None
    assert load_model(registry, made.name).fingerprint == made.fingerprint
    assert register(registry, made, actor="bob").number == 2
    with pytest.raises(AssertionError, match="Can't locate revision"):
        ran(earlier, HERE / "earlier_mlflow.py", url)  # the way back is the copy
    print(f"MLflow's schema {before[0][0]} to {after[0][0]}")
