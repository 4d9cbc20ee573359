"""What takes seconds to make is made once a run of the tests: by the worker that asks first, in a folder for all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

_WORKER = "PYTEST_XDIST_WORKER"


def made_once(paths: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled, here or in another worker; to be read only."""
    own = paths.getbasetemp()
    shared = own.parent if _WORKER in os.environ else own
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a worker left that failed at it
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
