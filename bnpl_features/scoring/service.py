"""One process's scoring: looks up, assigns, scores, explains, logs, and hands on to the shadows."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bnpl_features.scoring.core import Prediction, Reasons, Rules, Scored, explained, reasons_are_due, score
from bnpl_features.scoring.experiments.assignment import Assigned, Assignments
from bnpl_features.scoring.experiments.shadow import ShadowQueue, Waiting
from bnpl_features.scoring.following import Followed
from bnpl_features.scoring.keys import Keys
from bnpl_features.scoring.lookup import Found, look_up, set_of, sets_of
from bnpl_features.scoring.measures import Measures
from bnpl_features.scoring.models import ActiveModels
from bnpl_features.scoring.predictions import PredictionLog, record_of
from bnpl_features.scoring.purchase import Identified
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.telemetry.tracing import UNTRACED, Span, Tracer

REASONS_SECONDS = 0.25
"""How long an answer waits for its reasons; after that it goes without, and that is counted."""

_SCORED_AT_ONCE = 32
"""Purchases of a batch between two looks at other requests: about half a millisecond."""

_EXPLAINERS = 2


@dataclass
class Changing:
    """What is replaced while the service runs; `keys` is None where anybody may ask."""

    models: Followed[ActiveModels]
    assignments: Followed[Assignments]
    keys: Followed[Keys] | None = None


class Service:
    """Made inside the event loop that it serves."""

    def __init__(
        self,
        store: AsyncCustomerFeatureStore,
        changing: Changing,
        rules: Rules,
        log: PredictionLog,
        digest: Callable[[str], bytes],
        tracer: Tracer = UNTRACED,
    ) -> None:
        self.store = store
        self.tracer = tracer
        self.changing = changing
        self.log = log
        self.measures = Measures()
        self.in_flight = 0
        self.is_draining = False
        self._rules = rules
        self._digest = digest
        self._explainers = ThreadPoolExecutor(_EXPLAINERS, thread_name_prefix="explainer")
        self._request_prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._handing_over: set[asyncio.Task[None]] = set()
        self.shadows = ShadowQueue(
            lambda: changing.models.value, rules, self._log_shadow, is_idle=lambda: self.in_flight == 0
        )

    async def predict(
        self, purchases: Sequence[Identified], request_id: str, reasons: Reasons = Reasons.NOT_APPROVED
    ) -> list[Prediction]:
        """One prediction a purchase, in order, all by the same models and from one version of the features.

        Raises `NoModel`, and `ModelInputError` for a purchase that a model refuses.
        """
        models = self.changing.models.value
        assignments = self.changing.assignments.value
        span = self.tracer.span
        customer_ids = [purchase.customer_id for purchase in purchases]
        with span("lookup"):
            found = await look_up(self.store, customer_ids, sets_of(self.store, models, assignments, customer_ids))
        with span("assign"):
            arms = [assignments.of(customer_id) for customer_id in customer_ids]
        scored = []
        with span("score") as scoring:
            for number, (purchase, one, assigned) in enumerate(zip(purchases, found, arms, strict=True)):
                if number and number % _SCORED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                own_id = request_id if len(purchases) == 1 else f"{request_id}.{number}"
                scored.append(
                    score(own_id, purchase, one.answer, one.layout, models, self._rules, assigned, one.warning)
                )
            if scoring.is_recording:
                _describe(scoring, scored)
        predictions = await self._with_reasons(scored, reasons)
        with span("log"):
            now = time.time()
            for purchase, prediction in zip(purchases, predictions, strict=True):
                self._note(purchase, prediction, now)
            self._hand_to_shadows(purchases, predictions, found, assignments)
        return predictions

    def next_request_id(self) -> str:
        return f"{self._request_prefix}{next(self._numbers):08x}"

    async def close(self) -> None:
        """After the last request: every prediction that was answered is in the log."""
        await asyncio.gather(*self._handing_over)
        await self.shadows.close()
        self._explainers.shutdown()
        await asyncio.to_thread(self.log.close)
        await self.store.close()

    async def _with_reasons(self, scored: Sequence[Scored], reasons: Reasons) -> list[Prediction]:
        """Contributions are computed by other threads, which leave the interpreter to the event loop meanwhile."""
        predictions = [one.prediction for one in scored]
        due = [number for number, one in enumerate(scored) if reasons_are_due(one, reasons)]
        if not due:
            return predictions
        loop = asyncio.get_running_loop()
        with self.tracer.span("explain"):
            waiting = [loop.run_in_executor(self._explainers, explained, scored[number]) for number in due]
            done, late = await asyncio.wait(waiting, timeout=REASONS_SECONDS)
        for one in late:
            one.cancel()
        self.measures.late_reasons += len(late)
        for number, future in zip(due, waiting, strict=True):
            if future in done:
                predictions[number] = future.result()
        return predictions

    def _note(self, purchase: Identified, prediction: Prediction, now: float) -> None:
        self.measures.predictions[
            prediction.model or "",
            str(prediction.model_version or ""),
            prediction.experiment or "",
            prediction.arm,
            prediction.decision.value,
            prediction.feature_status,
            prediction.fallback or "",
        ] += 1
        if prediction.warnings:
            self.measures.deprecated[prediction.feature_set or ""] += 1
        self.log.append(record_of(prediction, purchase, self._digest, now))

    def _hand_to_shadows(
        self,
        purchases: Sequence[Identified],
        predictions: Sequence[Prediction],
        found: Sequence[Found],
        assignments: Assignments,
    ) -> None:
        models = self.changing.models.value
        for experiment, arm in assignments.shadows:
            if arm.model is None or arm.version is None:
                continue
            shadow = Assigned(experiment, arm.name, (arm.model, arm.version))
            own = set_of(self.store, models.versions.get((arm.model, arm.version)))
            if all(one.layout is None or one.layout.feature_set == own for one in found):
                self._append_shadows(shadow, purchases, predictions, found)
            else:
                task = asyncio.create_task(self._look_up_for_shadow(shadow, own, purchases, predictions))
                self._handing_over.add(task)
                task.add_done_callback(self._handing_over.discard)

    async def _look_up_for_shadow(
        self, shadow: Assigned, own: str, purchases: Sequence[Identified], predictions: Sequence[Prediction]
    ) -> None:
        """A shadow whose model reads another set: the answer to the checkout does not wait for it."""
        customer_ids = [purchase.customer_id for purchase in purchases]
        found = await look_up(self.store, customer_ids, [own] * len(customer_ids))
        self._append_shadows(shadow, purchases, predictions, found)

    def _append_shadows(
        self,
        shadow: Assigned,
        purchases: Sequence[Identified],
        predictions: Sequence[Prediction],
        found: Sequence[Found],
    ) -> None:
        for purchase, prediction, one in zip(purchases, predictions, found, strict=True):
            self.shadows.append(Waiting(prediction.request_id, purchase, one.answer, one.layout, shadow))

    def _log_shadow(self, scored: Scored, purchase: Identified, now: float) -> None:
        self.log.append(record_of(scored.prediction, purchase, self._digest, now, is_shadow=True))


def _describe(span: Span, scored: Sequence[Scored]) -> None:
    """By what the purchases were scored; a batch tells how many they were, and the first one."""
    first = scored[0].prediction
    span.set("bnpl.purchases", len(scored))
    span.set("bnpl.model", first.model)
    span.set("bnpl.model_version", first.model_version)
    span.set("bnpl.experiment", first.experiment)
    span.set("bnpl.arm", first.arm)
    span.set("bnpl.decision", first.decision.value)
    span.set("bnpl.feature_status", first.feature_status)
    span.set("bnpl.feature_set", first.feature_set)
    span.set("bnpl.feature_version", first.feature_version)
    span.set("bnpl.fallback", first.fallback)
