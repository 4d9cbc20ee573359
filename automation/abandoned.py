"""A run in a process that was killed: nobody says that it ended, and its place in a pool would never be free again.

Each run that `automation.launch` starts holds the lock of a file as long as its process lives; the operating system
drops the lock of a dead one. Runs that the daemon starts are looked after by the daemon.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

_NOT_YET_LOCKED = ".new"


@contextmanager
def known_to_live(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """While the block runs, `end_abandoned_runs` of any process on this machine leaves the run alone."""
    file = _folder(instance) / run_id
    created = file.with_suffix(_NOT_YET_LOCKED)
    with created.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        created.rename(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def end_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs whose process is gone as failed, and free their places in the pools; returns their ids."""
    ended = []
    for file in sorted(_folder(instance).iterdir()):
        if file.suffix != _NOT_YET_LOCKED and _is_free(file):
            run = instance.get_run_by_id(file.name)
            if run and not run.is_finished:
                instance.report_run_failed(run, "the process of this run was killed; run the partition again")
            instance.event_log_storage.free_concurrency_slots_for_run(file.name)
            file.unlink(missing_ok=True)
            ended.append(file.name)
    return ended


def _folder(instance: dg.DagsterInstance) -> Path:
    folder = Path(instance.root_directory) / "launched"
    folder.mkdir(exist_ok=True)
    return folder


def _is_free(file: Path) -> bool:
    try:
        with file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
