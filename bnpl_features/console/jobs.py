"""Acts that take longer than a page may: each in a thread of its own, one of a kind at a time, and what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock, Thread

from bnpl_features.errors import BnplFeaturesError, InputError

_log = logging.getLogger(__name__)


class JobState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """`said` is what came of it, or what is wrong; moments are seconds since the epoch; `done` of `total` steps, which
    is 0 where nobody can know."""

    title: str
    actor: str
    started_at: float
    state: JobState = JobState.RUNNING
    said: str = ""
    ended_at: float | None = None
    done: int = 0
    total: int = 0

    @property
    def seconds(self) -> float:
        return (self.ended_at or time.time()) - self.started_at


class Jobs:
    """The newest job of each kind, in the memory of this process; what a job changes is audited where it is changed."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = Lock()

    def newest(self, kind: str) -> Job | None:
        with self._lock:
            return self._jobs.get(kind)

    def start(self, kind: str, title: str, actor: str, run: Callable[[], str]) -> Job:
        """`run` returns what it did. Raises `InputError` while another of the kind is running."""
        job = Job(title, actor, time.time())
        with self._lock:
            running = self._jobs.get(kind)
            if running is not None and running.state is JobState.RUNNING:
                raise InputError(f"{running.title} is under way, begun by {running.actor}; wait until it has ended")
            self._jobs[kind] = job
        Thread(target=self._run, args=(kind, job, run), name=f"console-{kind}", daemon=True).start()
        return job

    def progress(self, kind: str, done: int, total: int) -> None:
        """For whoever runs, to tell."""
        with self._lock:
            self._jobs[kind] = replace(self._jobs[kind], done=done, total=total)

    def _run(self, kind: str, job: Job, run: Callable[[], str]) -> None:
        try:
            state, said = JobState.DONE, run()
        except BnplFeaturesError as error:
            state, said = JobState.FAILED, str(error)
        except Exception:  # a bug: the page says so, the log has it
            _log.exception("%s failed", job.title)
            state, said = JobState.FAILED, "it failed in a way that nobody foresaw; the console's log has the details"
        with self._lock:
            self._jobs[kind] = replace(self._jobs[kind], state=state, said=said, ended_at=time.time())
