"""The folder of models that the service scores with; a process of its own fills it (`fetching.py`), or an operator.

behavioural-3/ transaction_only-2/     files of `risk_model.model_files`
active.json                            which versions there are, and which are champions; replaced as a whole
wanted.json                            versions that experiments ask for
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from bnpl_features.errors import ModelMissing
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.model_files import read_model, write_model
from bnpl_features.scoring.models import ActiveModels

ACTIVE, WANTED = "active.json", "wanted.json"
_LOG = logging.getLogger("bnpl_features.scoring")


class Entry(msgspec.Struct, frozen=True, order=True):
    """One version in the folder."""

    name: str
    version: int
    fingerprint: str
    is_champion: bool

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"


class Active(msgspec.Struct, frozen=True):
    """All of them, in order of name and version."""

    models: tuple[Entry, ...]


def put(folder: Path, model: Model) -> None:
    """Write the model's files, unless they are there."""
    target = folder / f"{model.name}-{model.version}"
    if target.exists():
        return
    written = folder / f".{target.name}-{os.getpid()}"
    write_model(model, written)
    written.rename(target)


def activate(folder: Path, champions: Iterable[Model], others: Iterable[Model] = ()) -> None:
    """Serve these models from now on; each must have been `put` before."""
    entries = [_entry(model, is_champion=True) for model in champions]
    entries += [_entry(model, is_champion=False) for model in others]
    write_active(folder, Active(tuple(sorted(entries))))


def write_active(folder: Path, active: Active) -> None:
    _replace(folder / ACTIVE, msgspec.json.encode(active))


def read_active(folder: Path) -> Active:
    """Raises `ModelMissing` where the folder has none."""
    try:
        return msgspec.json.decode((folder / ACTIVE).read_bytes(), type=Active)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelMissing(
            f"{folder / ACTIVE} cannot be read ({error}); is the registry reachable, and is a model promoted? "
            "`bnpl-features models` lists them"
        ) from error


def write_wanted(folder: Path, wanted: Iterable[tuple[str, int]]) -> None:
    _replace(folder / WANTED, msgspec.json.encode(sorted(wanted)))


def read_wanted(folder: Path) -> set[tuple[str, int]]:
    try:
        return set(msgspec.json.decode((folder / WANTED).read_bytes(), type=list[tuple[str, int]]))
    except (OSError, msgspec.DecodeError):
        return set()


def watch_models(folder: Path) -> Callable[[], ActiveModels | None]:
    """A function that returns the models when others are to be served than when it was called last, otherwise None.

    Models that stay are not loaded again. Raises `ModelMissing` where one cannot be read: then all stay as they were.
    """
    loaded: dict[tuple[str, int], Model] = {}
    seen: list[Active | None] = [None]

    def look() -> ActiveModels | None:
        active = read_active(folder)
        if active == seen[0]:
            return None
        versions = {(one.name, one.version): _loaded(folder, one, loaded) for one in active.models}
        champions = {one.name: versions[one.name, one.version] for one in active.models if one.is_champion}
        loaded.clear()
        loaded.update(versions)
        seen[0] = active
        for name, model in champions.items():
            _LOG.info("scoring with %s version %s (%s)", name, model.version, model.fingerprint)
        return ActiveModels(champions, versions)

    return look


def _loaded(folder: Path, entry: Entry, loaded: dict[tuple[str, int], Model]) -> Model:
    model = loaded.get((entry.name, entry.version))
    if model is None or model.fingerprint != entry.fingerprint:
        model = read_model(folder / entry.folder, version=entry.version)
    if model.fingerprint != entry.fingerprint:
        raise ModelMissing(
            f"{folder / entry.folder} holds model {model.fingerprint}, but {ACTIVE} says {entry.fingerprint}; "
            "remove the folder, so that it is fetched again"
        )
    return model


def _entry(model: Model, *, is_champion: bool) -> Entry:
    return Entry(model.name, model.version, model.fingerprint, is_champion)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}-{os.getpid()}")
    written.write_bytes(content)
    written.rename(path)
