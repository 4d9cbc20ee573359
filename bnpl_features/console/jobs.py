"""What takes longer than a page should: work in a thread of its own, whose progress a page shows until it ends."""

from __future__ import annotations

import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, Thread

from bnpl_features.errors import BnplFeaturesError

_log = logging.getLogger(__name__)
_MOST_REMEMBERED = 100
Report = Callable[[int, int], None]
"""Told how much is done, of how much."""


@dataclass
class Job:
    """`problem` is why it failed; `said` what it did."""

    title: str
    actor: str
    back: str
    name: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    began: float = field(default_factory=time.time)
    done: int = 0
    total: int = 0
    said: str = ""
    problem: str = ""

    @property
    def is_running(self) -> bool:
        return not self.said and not self.problem

    @property
    def seconds(self) -> float:
        return time.time() - self.began


class Jobs:
    """Those of this process; the newest are remembered."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = Lock()

    def start(self, title: str, actor: str, back: str, work: Callable[[Report], str]) -> Job:
        """`work` returns what it did, as a sentence; `back` is the page to go to then."""
        job = Job(title, actor, back)
        with self._lock:
            self._jobs[job.name] = job
            while len(self._jobs) > _MOST_REMEMBERED:
                self._jobs.popitem(last=False)
        Thread(target=_run, args=(job, work), name=f"job {title}", daemon=True).start()
        return job

    def named(self, name: str) -> Job | None:
        with self._lock:
            return self._jobs.get(name)


def _run(job: Job, work: Callable[[Report], str]) -> None:
    def report(done: int, total: int) -> None:
        job.done, job.total = done, total

    try:
        job.said = work(report) or "done"
    except BnplFeaturesError as error:
        job.problem = str(error)
    except Exception:
        _log.exception("a job of the console failed")
        job.problem = "It failed in a way that nobody foresaw; the console's log has the details."
