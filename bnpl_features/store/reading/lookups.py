"""A lookup from beginning to end, but for its I/O: customer ids in, answers out.

`Lookups.look_up` is a generator: it yields steps (see `steps.py`), is sent their outcomes, and returns the answers. So
threads and asyncio share all of it, and differ in how a step is carried out.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TypedDict, Unpack

from bnpl_features.errors import LayoutMismatch
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.address import parse_address
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.projection import Projection
from bnpl_features.store.reading.asking import Asker, Found, Replicas, Unanswered
from bnpl_features.store.reading.follower import Follower
from bnpl_features.store.reading.lookup import CORRUPT, STALE_AFTER, Answer, ServedVersion, Status, without_version
from bnpl_features.store.reading.stats import LookupStats
from bnpl_features.store.reading.steps import Steps
from bnpl_features.store.velocity.answer import VelocityAnswer, VelocityStatus

BUDGET_SECONDS = 0.005
_LOG = logging.getLogger("bnpl_features.store")


class ReaderOptions(TypedDict, total=False):
    """How to read. Each may be left out.

    namespace: environment or tenant (`bnpl`).
    feature_set: the set that is read where a lookup names no other (the current one of this release).
    customer_key: the secret shared with the publisher; previous_customer_keys: those before, while it is changed.
    budget_seconds: what a lookup may take (0.005), connecting and retries included.
    stale_after: the age from which features are `stale`, counted from the partition's end (30 hours).
    replicas: whether lookups may go to replicas (when the primary fails).
    velocity: whether each lookup reads the customer's velocity as well, in the same round trip (False).
    must_answer: whether a store that is down is an error at construction (True); otherwise lookups are `unavailable`
    until it is there.
    announce: whether the sets that are read are said to be in use (True); not for who only looks at what is served.
    """

    namespace: str
    feature_set: str
    customer_key: bytes
    previous_customer_keys: Sequence[bytes]
    budget_seconds: float
    stale_after: timedelta
    replicas: Replicas
    must_answer: bool
    velocity: bool
    announce: bool


class Lookups:
    """What all lookups of a process share: the version and routes followed, statistics."""

    def __init__(self, url: str, **options: Unpack[ReaderOptions]) -> None:
        """Raises `StoreUnavailable` or `LayoutMismatch`, as `Follower` does."""
        if not options.get("customer_key"):
            _LOG.warning("no customer key is set: fine for development, set BNPL_CUSTOMER_KEY in production")
        self.address = parse_address(url)
        self.stats = LookupStats()
        self.follower = Follower(
            self.address,
            Keyspace(options.get("namespace", "bnpl"), options.get("feature_set", BEHAVIOURAL.name)),
            [
                CustomerKey(secret)
                for secret in (options.get("customer_key", b""), *options.get("previous_customer_keys", ()))
            ],
            options.get("stale_after", STALE_AFTER),
            must_answer=options.get("must_answer", True),
            with_velocity=options.get("velocity", False),
            announces=options.get("announce", True),
        )
        self._with_velocity = options.get("velocity", False)
        self._budget_seconds = options.get("budget_seconds", BUDGET_SECONDS)
        self.asker = Asker(self.follower, self._budget_seconds, options.get("replicas", Replicas.WHEN_PRIMARY_FAILS))

    def look_up(
        self, customer_ids: Sequence[str], features: tuple[str, ...] | None, feature_set: str | None = None
    ) -> Steps[list[Answer]]:
        """One answer a customer, in order, all from one version."""
        started = time.monotonic()
        wanted = feature_set or self.follower.feature_set
        served = self.follower.served_of(wanted)
        if served is None:
            nothing = without_version(features, self.follower.why_nothing(wanted), wanted)
            return self._observed([nothing] * len(customer_ids), started)
        served.was_read = True
        try:
            projection = served.projected(features) if features else served.projection
        except LayoutMismatch as error:
            return self._observed([without_version(features, str(error), wanted)] * len(customer_ids), started)
        requests = [served.request(customer_id) for customer_id in customer_ids]
        if self._with_velocity:
            requests += [served.velocity_request(customer_id) for customer_id in customer_ids]
        found = yield from self.asker.replies(requests, started + self._budget_seconds)
        answers = self._answers(served, projection, found[: len(customer_ids)])
        if self._with_velocity:
            self._add_velocity(answers, found[len(customer_ids) :])
        return self._observed(answers, started)

    def _answers(self, served: ServedVersion, projection: Projection, found: list[Found]) -> list[Answer]:
        now = time.time()
        answer = served.answer
        return [
            answer(item, now, projection)
            if type(item) is bytes
            else self._without_record(served, projection, item, now)
            for item in found
        ]

    def _add_velocity(self, answers: list[Answer], found: list[Found]) -> None:
        now = time.time()
        status = self.follower.velocity_status(now)
        for answer, item in zip(answers, found, strict=True):
            if isinstance(item, Unanswered):
                answer.velocity = VelocityAnswer(VelocityStatus.UNAVAILABLE, int(now * 1000), None, item.reason)
            else:
                answer.velocity = VelocityAnswer(status, int(now * 1000), item)

    def _without_record(self, served: ServedVersion, projection: Projection, item: Found, now: float) -> Answer:
        if isinstance(item, Unanswered):
            return served.defaulted(Status.UNAVAILABLE, item.reason, projection)
        why = self.follower.why_not_known(served, now)
        return served.defaulted(Status.UNAVAILABLE if why else Status.UNKNOWN_CUSTOMER, why, projection)

    def _observed(self, answers: list[Answer], started: float) -> list[Answer]:
        seconds = time.monotonic() - started
        if len(answers) == 1:
            answer = answers[0]
            self.stats.observe(((answer.status, 1),), seconds, answer.reason.startswith(CORRUPT))
        else:
            corrupt = sum(1 for answer in answers if answer.reason and answer.reason.startswith(CORRUPT))
            self.stats.observe(Counter([answer.status for answer in answers]).items(), seconds, corrupt)
        return answers
