"""The client of the online store for asyncio: lookups made at the same time travel together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Unpack

from bnpl_features.store.reading.channels import Channels
from bnpl_features.store.reading.lookup import Answer, ServedVersion
from bnpl_features.store.reading.lookups import Lookups, ReaderOptions
from bnpl_features.store.reading.steps import Outcome, Step


class AsyncCustomerFeatureStore:
    """Reads customers' features from the active version, from one event loop.

    `get` and `get_many` answer, they never raise but for cancellation: whatever the server does, within
    `budget_seconds`.
    """

    def __init__(self, lookups: Lookups) -> None:
        """Use `open`, which does not block the event loop."""
        self.lookups = lookups
        self._channels = Channels(lookups.address)

    @classmethod
    async def open(cls, url: str, **options: Unpack[ReaderOptions]) -> AsyncCustomerFeatureStore:
        """`url` is described in `address.py`.

        Raises `StoreUnavailable` where the store cannot be reached (unless `must_answer=False`), and `LayoutMismatch`
        where the active version has another customer key.
        """
        return cls(await asyncio.to_thread(Lookups, url, **options))

    async def get(
        self, customer_id: str, features: tuple[str, ...] | None = None, *, feature_set: str | None = None
    ) -> Answer:
        """The customer's features, or those named, in one round trip; of a set that is followed."""
        return (await self.get_many((customer_id,), features, feature_set=feature_set))[0]

    async def get_many(
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
                step = steps.send(await self._perform(step))
        except StopIteration as ended:
            answers: list[Answer] = ended.value
            return answers

    async def follow(self, feature_set: str) -> ServedVersion | None:
        """Be ready to read one more set, from now on; returns its version, None where nothing of it was published.

        Raises `StoreUnavailable` or `LayoutMismatch`.
        """
        return await asyncio.to_thread(self.lookups.follower.follow, feature_set)

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

    async def close(self) -> None:
        self._channels.close()
        await asyncio.to_thread(self.lookups.follower.close)

    async def __aenter__(self) -> AsyncCustomerFeatureStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _perform(self, step: Step) -> list[Outcome]:
        if isinstance(step, float):
            await asyncio.sleep(step)
            return []
        if len(step) == 1:
            return [await self._channels.perform(step[0])]
        return list(await asyncio.gather(*[self._channels.perform(ask) for ask in step]))
