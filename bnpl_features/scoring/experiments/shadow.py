"""Shadow arms: scored after the answer is sent, one at a time, from a bounded queue; a full one drops, and counts."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import BnplFeaturesError
from bnpl_features.scoring.core import NoModel, Rules, Scored, score
from bnpl_features.scoring.experiments.assignment import Assigned
from bnpl_features.scoring.models import ActiveModels
from bnpl_features.scoring.purchase import Identified
from bnpl_features.store.reading.lookup import Answer

MOST_QUEUED = 1_000
_BUSY_PAUSE_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Waiting:
    """A purchase that was answered, and the arm that is to score it as well."""

    request_id: str
    purchase: Identified
    answer: Answer
    layout: Layout | None
    arm: Assigned


class ShadowQueue:
    """`is_idle` says whether no request is being answered: shadows are scored only then."""

    def __init__(
        self,
        models: Callable[[], ActiveModels],
        rules: Rules,
        log: Callable[[Scored, Identified, float], None],
        is_idle: Callable[[], bool],
        most_queued: int = MOST_QUEUED,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._models = models
        self._rules = rules
        self._log = log
        self._is_idle = is_idle
        self._most_queued = most_queued
        self._waiting: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._keep_scoring())

    def append(self, waiting: Waiting) -> None:
        if len(self._waiting) >= self._most_queued:
            self.counts["dropped"] += 1
            return
        self._waiting.append(waiting)
        self._wake.set()

    async def close(self) -> None:
        """What still waits is dropped, and counted."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.counts["dropped"] += len(self._waiting)
        self._waiting.clear()

    async def _keep_scoring(self) -> None:
        while True:
            self._wake.clear()
            while self._waiting:
                if self._is_idle():
                    self._score(self._waiting.popleft())
                    await asyncio.sleep(0)
                else:
                    await asyncio.sleep(_BUSY_PAUSE_SECONDS)
            await self._wake.wait()

    def _score(self, waiting: Waiting) -> None:
        models = self._models()
        if waiting.arm.model not in models.versions:
            self.counts["model_missing"] += 1
            return
        try:
            scored = score(
                waiting.request_id,
                waiting.purchase,
                waiting.answer,
                waiting.layout,
                models,
                self._rules,
                waiting.arm,
            )
        except (BnplFeaturesError, NoModel):
            self.counts["failed"] += 1
            return
        self.counts["scored"] += 1
        self._log(scored, waiting.purchase, time.time())
