"""Registry -> the folder of served models, in a process of its own.

MLflow takes a second to import and holds the interpreter while it works: inside the service that would be slow requests
(docs/decisions/0031-models-are-fetched-by-a-process-of-their-own.md).
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from bnpl_features.errors import BnplFeaturesError, ModelMissing
from bnpl_features.features.segment import SEGMENTS
from bnpl_features.risk_model.registry import CHAMPION, Registry, load_model, open_registry, versions
from bnpl_features.scoring.models import BEHAVIOURAL, TRANSACTION_ONLY, VELOCITY
from bnpl_features.scoring.served import Active, Entry, put, read_active, read_wanted, write_active

POLL_SECONDS = 5.0
_LOG = logging.getLogger("bnpl_features.scoring")


def start_fetching(
    url: str, registry_folder: Path, prefix: str, folder: Path, prepare: Callable[[], None], poll_seconds: float
) -> BaseProcess:
    """Keep `folder` up to date from now on, as long as this process lives; `prepare` is called in the other one."""
    spawn = multiprocessing.get_context("spawn")
    arguments = (url, registry_folder, prefix, folder, prepare, poll_seconds, os.getpid())
    process = spawn.Process(target=_keep_fetching, args=arguments, name="model-fetcher", daemon=True)
    process.start()
    return process


def fetch(registry: Registry, folder: Path) -> Active:
    """Bring champions and wanted versions into the folder; returns what is served from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for name in (VELOCITY, BEHAVIOURAL, TRANSACTION_ONLY, *sorted({one.model for one in SEGMENTS if one.model})):
        wanted = {version for model, version in read_wanted(folder) if model == name}
        for one in versions(registry, name):
            if CHAMPION not in one.aliases and one.number not in wanted:
                continue
            fingerprint = one.tags.get("fingerprint", "")
            entry = Entry(name, one.number, fingerprint, CHAMPION in one.aliases)
            if not (folder / entry.folder).exists():
                put(folder, load_model(registry, name, str(one.number)))
            entries.append(entry)
    active = Active(tuple(sorted(entries)))
    if active != _present(folder):
        write_active(folder, active)
        _remove_others(folder, active)
    return active


def _keep_fetching(
    url: str,
    registry_folder: Path,
    prefix: str,
    folder: Path,
    prepare: Callable[[], None],
    poll_seconds: float,
    parent: int,
) -> None:
    prepare()
    registry: Registry | None = None
    said = ""
    while os.getppid() == parent:
        try:
            registry = registry or open_registry(url, registry_folder, prefix)
            fetch(registry, folder)
            said = ""
        except (BnplFeaturesError, OSError) as error:
            if str(error) != said:
                said = str(error)
                _LOG.error("serve the models at hand: %s", said)
        except Exception:
            _LOG.exception("serve the models at hand")
        time.sleep(poll_seconds)


def _present(folder: Path) -> Active | None:
    try:
        return read_active(folder)
    except ModelMissing:
        return None


def _remove_others(folder: Path, active: Active) -> None:
    """Versions that are served no more; the service has those that it uses in memory."""
    kept = {entry.folder for entry in active.models}
    for path in folder.iterdir():
        if path.is_dir() and path.name not in kept and not path.name.startswith("."):
            shutil.rmtree(path, ignore_errors=True)
