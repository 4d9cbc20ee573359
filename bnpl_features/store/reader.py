"""The client of the online store for threads: a customer's features in one round trip, or a typed answer why not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Unpack

from bnpl_features.store.connection import named_errors
from bnpl_features.store.reading.links import Links
from bnpl_features.store.reading.lookup import Answer, ServedVersion
from bnpl_features.store.reading.lookups import Lookups, ReaderOptions
from bnpl_features.store.reading.steps import Outcome, Step


class CustomerFeatureStore:
    """Reads customers' features from the active version.

    `get` and `get_many` answer, they never raise: whatever the server does, within `budget_seconds`. Threads may share
    one instance; a fork opens connections of its own.
    """

    def __init__(self, url: str, **options: Unpack[ReaderOptions]) -> None:
        """`url` is described in `address.py`.

        Raises `StoreUnavailable` where the store cannot be reached (unless `must_answer=False`), and `LayoutMismatch`
        where the active version has another customer key.
        """
        self.lookups = Lookups(url, **options)
        self._links = Links(self.lookups.address)
        if options.get("must_answer", True):
            with named_errors(str(self.lookups.address)):
                self._links.open_now(self.lookups.follower.routes.shards[0].primary)

    def get(
        self, customer_id: str, features: tuple[str, ...] | None = None, *, feature_set: str | None = None
    ) -> Answer:
        """The customer's features, or those named, in one round trip; of a set that is followed."""
        return self.get_many((customer_id,), features, feature_set=feature_set)[0]

    def get_many(
        self,
        customer_ids: Sequence[str],
        features: tuple[str, ...] | None = None,
        *,
        feature_set: str | None = None,
    ) -> list[Answer]:
        """One answer a customer, in order, all from one version; one round trip for each server that is asked."""
        steps = self.lookups.look_up(customer_ids, features, feature_set)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._perform(step))
        except StopIteration as ended:
            answers: list[Answer] = ended.value
            return answers

    def follow(self, feature_set: str) -> ServedVersion | None:
        """Be ready to read one more set, from now on; returns its version, None where nothing of it was published.

        Blocks for an exchange with the store the first time. Raises `StoreUnavailable` or `LayoutMismatch`.
        """
        return self.lookups.follower.follow(feature_set)

    @property
    def served(self) -> ServedVersion | None:
        """The version that lookups are answered from now."""
        return self.lookups.follower.served

    def served_of(self, feature_set: str) -> ServedVersion | None:
        """The version that lookups in a set are answered from now; None for one that is not followed or published."""
        return self.lookups.follower.served_of(feature_set)

    @property
    def counts(self) -> Counter[str]:
        """Answers by status, and corrupt records, since construction."""
        return self.lookups.stats.counts

    def close(self) -> None:
        self.lookups.follower.close()
        self._links.close()

    def __enter__(self) -> CustomerFeatureStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _perform(self, step: Step) -> list[Outcome]:
        if isinstance(step, float):
            time.sleep(step)
            return []
        return self._links.perform(step)
