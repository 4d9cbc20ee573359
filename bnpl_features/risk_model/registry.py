"""Model versions in MLflow: an embedded SQLite file by default, a database or a server by URL.

A registered model (`bnpl_behavioural`, `bnpl_transaction_only`) has numbered versions and two aliases: `champion` is
what scores, `challenger` is what was trained last. Each version holds the files of `model_files`, an MLmodel file with
the signature, the evaluation, and as tags the fingerprints of model, layout and training set.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnpl_features.errors import ModelMissing, RegistryUnavailable
from bnpl_features.features.purchase import ColumnType
from bnpl_features.risk_model.evaluation import Evaluation
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.model_files import read_model, write_model
from bnpl_features.risk_model.purchase_inputs import COLUMNS
from bnpl_features.risk_model.quiet_mlflow import quiet_mlflow
from bnpl_features.risk_model.registry_schema import require_present_schema

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"
PREFIX = "bnpl"

_SQLITE = "sqlite:///"
_FOLDER_IN_RUN = "model"
_EVALUATION = "evaluation.json"
_MLFLOW_TYPES = {
    ColumnType.STRING: "string",
    ColumnType.TIMESTAMP: "datetime",
    ColumnType.FLOAT64: "double",
    ColumnType.INT64: "long",
    ColumnType.BOOL: "boolean",
}


@dataclass(frozen=True)
class Registry:
    """Where models are; `prefix` keeps environments that share a server apart. Made by `open_registry`."""

    client: MlflowClient
    url: str
    prefix: str
    folder: Path

    def registered_name(self, name: str) -> str:
        return f"{self.prefix}_{name}"


@dataclass(frozen=True)
class Version:
    """One version of one model, as the registry knows it."""

    name: str
    number: int
    aliases: tuple[str, ...]
    created_at: float
    tags: Mapping[str, str]
    source: str


def open_registry(url: str, folder: Path, prefix: str = PREFIX) -> Registry:
    """The registry at `url`, or the embedded one in `folder`.

    Raises `RegistryUnavailable` where none answers, and where a database is of an earlier release's schema.
    """
    mlflow = quiet_mlflow()
    address = url or f"{_SQLITE}{(folder / 'registry.db').resolve()}"
    with named_errors(address):
        if not url:
            folder.mkdir(parents=True, exist_ok=True)
        if address.startswith(_SQLITE):
            # MLflow would try for minutes to open a file that cannot be opened.
            sqlite3.connect(address.removeprefix(_SQLITE)).close()
        elif not address.startswith("http"):
            require_present_schema(address, without_password(address))
        client = mlflow.MlflowClient(tracking_uri=address, registry_uri=address)
        client.search_registered_models(max_results=1)
    return Registry(client, address, prefix, folder)


def register(registry: Registry, model: Model, evaluation: Evaluation | None = None, *, actor: str = "") -> Version:
    """Add the model as a new version and make it the challenger."""
    client, name = registry.client, registry.registered_name(model.name)
    with named_errors(registry.url), tempfile.TemporaryDirectory() as scratch:
        run_id = client.create_run(experiment_id(registry, "training"), run_name=model.name).info.run_id
        files = write_model(model, Path(scratch) / _FOLDER_IN_RUN)
        _signature(model).save(files / "MLmodel")
        if evaluation:
            (files / _EVALUATION).write_text(json.dumps(evaluation.to_json(), indent=1))
            for metric, interval in evaluation.figures.get(model.name, {}).items():
                client.log_metric(run_id, metric, interval.value)
        client.log_artifacts(run_id, str(files), _FOLDER_IN_RUN)
        client.set_terminated(run_id)
        if not any(one.name == name for one in client.search_registered_models(f"name = '{name}'")):
            client.create_registered_model(name)
        source = f"{client.get_run(run_id).info.artifact_uri}/{_FOLDER_IN_RUN}"
        made = client.create_model_version(name, source, run_id, tags=_tags(model, actor))
        client.set_registered_model_alias(name, CHALLENGER, str(made.version))
    return version_of(registry, model.name, str(made.version))


def versions(registry: Registry, name: str) -> list[Version]:
    """All versions of a model, newest first; empty where there is none."""
    registered = registry.registered_name(name)
    with named_errors(registry.url):
        found = registry.client.search_model_versions(f"name = '{registered}'")
        aliases = _aliases(registry, registered) if found else {}
    listed = [_version(name, one, aliases) for one in found]
    return sorted(listed, key=lambda one: -one.number)


def version_of(registry: Registry, name: str, which: str) -> Version:
    """The version with an alias or number, such as `champion` or `3`; raises `ModelMissing`."""
    found = versions(registry, name)
    for one in found:
        if which in (*one.aliases, str(one.number)):
            return one
    there = ", ".join(str(one.number) for one in found) or "none"
    raise ModelMissing(
        f"model {name} has no {which} in {without_password(registry.url)} (versions: {there}); "
        "`bnpl-features models` lists what there is, `bnpl-features train` adds one"
    )


def load_model(registry: Registry, name: str, which: str = CHAMPION) -> Model:
    """The model with an alias or number, ready to score; raises `ModelMissing`."""
    version = version_of(registry, name, which)
    with _downloaded(registry, version) as files:
        return read_model(files, version=version.number)


def evaluation_of(registry: Registry, version: Version) -> Evaluation | None:
    """The evaluation that a version was registered with; None where it came without."""
    with _downloaded(registry, version) as files:
        kept = files / _EVALUATION
        return Evaluation.from_json(json.loads(kept.read_text())) if kept.exists() else None


def experiment_id(registry: Registry, purpose: str) -> str:
    """The MLflow experiment for a purpose, made where it is missing."""
    name = f"{registry.prefix}_{purpose}"
    found = registry.client.get_experiment_by_name(name)
    if found:
        return str(found.experiment_id)
    # A server keeps files where it was told to; a database leaves them to its clients, who share the folder.
    location = None if registry.url.startswith("http") else (registry.folder / "artifacts" / purpose).resolve().as_uri()
    return str(registry.client.create_experiment(name, artifact_location=location))


def without_password(url: str) -> str:
    """The address as it may be shown."""
    scheme, at, rest = url.rpartition("@")
    return f"{scheme.split('//')[0]}//...@{rest}" if at else url


@contextmanager
def named_errors(url: str) -> Iterator[None]:
    """What MLflow or its database raises inside the block becomes `RegistryUnavailable`."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        shown = without_password(url)
        raise RegistryUnavailable(
            f"the model registry at {shown} did not do what was asked ({str(error).replace(url, shown)[:200]}); check "
            "model.registry_url (BNPL_MODEL_REGISTRY_URL) and that the server runs, then try again"
        ) from (error if shown == url else None)  # its causes may quote the address


@contextmanager
def _downloaded(registry: Registry, version: Version) -> Iterator[Path]:
    from mlflow.artifacts import download_artifacts

    if version.source.startswith("file:"):
        yield Path(version.source.removeprefix("file://"))
        return
    with tempfile.TemporaryDirectory() as scratch:
        with named_errors(registry.url):
            found = download_artifacts(artifact_uri=version.source, tracking_uri=registry.url, dst_path=scratch)
        yield Path(found)


def _signature(model: Model) -> Any:
    from mlflow.models import Model as Described
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    columns = dict.fromkeys(one.column for one in model.inputs.purchase)
    fields: list[Any] = [
        ColSpec(_MLFLOW_TYPES[COLUMNS[name].type], name, required=COLUMNS[name].required) for name in columns
    ]
    fields += [ColSpec("float", name, required=False) for name in model.inputs.behavioural]
    return Described(signature=ModelSignature(Schema(fields), Schema([ColSpec("double", "probability_of_default")])))


def _tags(model: Model, actor: str) -> dict[str, str]:
    layout = model.inputs.layout
    return {
        "fingerprint": model.fingerprint,
        "feature_set": layout.feature_set if layout else "",
        "layout": layout.fingerprint if layout else "",
        "training_set": str(model.provenance.get("training_set", "")),
        "code_version": str(model.provenance.get("code_version", "")),
        "actor": actor,
    }


def _version(name: str, found: Any, aliases: Mapping[str, list[str]]) -> Version:
    return Version(
        name,
        int(found.version),
        tuple(sorted(aliases.get(str(found.version), []))),
        found.creation_timestamp / 1000,
        dict(found.tags),
        found.source,
    )


def _aliases(registry: Registry, registered: str) -> dict[str, list[str]]:
    """Version number -> its aliases; a search answers without them."""
    by_number: dict[str, list[str]] = {}
    for alias, number in registry.client.get_registered_model(registered).aliases.items():
        by_number.setdefault(str(number), []).append(alias)
    return by_number
