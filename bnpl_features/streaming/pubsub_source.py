"""Google Pub/Sub as the broker, through Google's client: workers pull from one subscription."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions
from google.cloud.pubsub_v1 import SubscriberClient

from bnpl_features.errors import InputError, StreamUnavailable
from bnpl_features.streaming.source import Lag, Message


class PubSubSource:
    """One worker's pulls from `projects/P/subscriptions/S`.

    What is not acknowledged within the subscription's deadline comes again; a minute is a good one. Credentials are the
    application's default ones.
    """

    def __init__(self, subscription: str) -> None:
        self._subscription = subscription
        self._client: Any = SubscriberClient()
        self._ack_ids: dict[str, str] = {}
        self._oldest = 0.0
        with self._named():
            self._client.get_subscription(request={"subscription": subscription}, timeout=10.0)

    @property
    def name(self) -> str:
        return f"pub/sub {self._subscription}"

    def poll(self, most: int, wait_seconds: float) -> Sequence[Message]:
        request = {"subscription": self._subscription, "max_messages": most}
        with self._named():
            try:
                found = self._client.pull(request=request, timeout=max(wait_seconds, 0.1)).received_messages
            except exceptions.DeadlineExceeded:
                found = ()
        self._oldest = min((one.message.publish_time.timestamp() for one in found), default=0.0)
        self._ack_ids = {one.message.message_id: one.ack_id for one in found}
        return [Message(one.message.message_id, one.message.data, max(one.delivery_attempt, 1)) for one in found]

    def acknowledge(self, messages: Sequence[Message]) -> None:
        ack_ids = [self._ack_ids[message.id] for message in messages if message.id in self._ack_ids]
        if ack_ids:
            with self._named():
                self._client.acknowledge(request={"subscription": self._subscription, "ack_ids": ack_ids})
            self._ack_ids = {}

    def lag(self) -> Lag:
        """How many wait is known to Cloud Monitoring only (num_undelivered_messages); the age is that of what was
        pulled last."""
        return Lag(None, max(time.time() - self._oldest, 0.0) if self._oldest else 0.0)

    def log(self, since_ms: int) -> Iterator[bytes]:
        raise InputError(
            "Pub/Sub has no log that could be read beside the subscription; run `bnpl-features stream rebuild "
            "--without-log`, and seek the subscription to before the loss (docs/streaming.md)"
        )

    def close(self) -> None:
        """What was pulled and not acknowledged may go to another worker at once."""
        with self._named():
            if self._ack_ids:
                ack_ids = list(self._ack_ids.values())
                request = {"subscription": self._subscription, "ack_ids": ack_ids, "ack_deadline_seconds": 0}
                self._client.modify_ack_deadline(request=request)
        self._client.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except exceptions.GoogleAPICallError as error:
            raise StreamUnavailable(
                f"{self.name}: {error}; see whether the subscription exists, streaming.url, and the credentials"
            ) from error
