"""Kafka as the broker, through Confluent's client: a consumer group over the partitions of a topic."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from bnpl_features.errors import SettingsError, StreamUnavailable
from bnpl_features.streaming.source import Lag, Message

ANSWER_SECONDS = 10.0
"""How long the brokers may take for an answer that is not a message."""

_PAGE = 1_000
_END_OF_LOG_SECONDS = 30.0


class KafkaSource:
    """One worker's part of a consumer group; not to be shared between threads.

    `brokers` are host:port, separated by commas, then `?` and librdkafka's properties, such as
    `security.protocol=SSL&ssl.ca.location=/etc/ca.pem`. Messages of one customer may be in any partition: order is not
    needed. Raises `SettingsError` for a property that is none.
    """

    def __init__(self, brokers: str, topic: str, group: str) -> None:
        self._topic = topic
        self._settings = {**properties(brokers), "group.id": group, "enable.auto.commit": False}
        try:
            self._consumer: Any = Consumer({**self._settings, "auto.offset.reset": "earliest"})
        except KafkaException as error:  # what it says may quote a password
            raise SettingsError(
                f"a property in streaming.url is refused ({error.args[0].name()}); see librdkafka's CONFIGURATION.md"
            ) from None
        self._consumer.subscribe([topic])
        self._unsettled: list[Any] = []
        self._applied_until = time.time()
        with self._named():
            self._partitions()

    @property
    def name(self) -> str:
        return f"kafka topic {self._topic}, group {self._settings['group.id']}"

    def poll(self, most: int, wait_seconds: float) -> Sequence[Message]:
        with self._named():
            first = self._consumer.poll(wait_seconds)
            if first is None:
                return ()
            # `consume` waits until it has as many as asked for, so it is asked only for what is there already.
            found = [first, *(self._consumer.consume(most - 1, timeout=0.0) if most > 1 else ())]
            for message in found:
                if message.error():
                    raise KafkaException(message.error())
        self._unsettled += found
        return [Message(f"{one.partition()}-{one.offset()}", one.value() or b"") for one in found]

    def acknowledge(self, messages: Sequence[Message]) -> None:
        settled, self._unsettled = self._unsettled[: len(messages)], self._unsettled[len(messages) :]
        if not settled:
            return
        after = {one.partition(): one.offset() + 1 for one in settled}
        with self._named():
            offsets = [TopicPartition(self._topic, partition, offset) for partition, offset in after.items()]
            self._consumer.commit(offsets=offsets, asynchronous=False)
        self._applied_until = max(one.timestamp()[1] for one in settled) / 1000

    def lag(self) -> Lag:
        """Of the whole group. The oldest event's age is that of the newest one that this worker applied."""
        with self._named():
            waiting = 0
            for place in self._consumer.committed(self._partitions(), timeout=ANSWER_SECONDS):
                low, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
                waiting += max(high - max(place.offset, low), 0)
        return Lag(waiting, max(time.time() - self._applied_until, 0.0) if waiting else 0.0)

    def log(self, since_ms: int) -> Iterator[bytes]:
        """Until where each partition ends."""
        reader: Any = Consumer({**self._settings, "group.id": f"{self.name}-log", "enable.partition.eof": True})
        try:
            with self._named():
                wanted = [TopicPartition(self._topic, one.partition, since_ms) for one in self._partitions()]
                starts = [one for one in reader.offsets_for_times(wanted, timeout=ANSWER_SECONDS) if one.offset >= 0]
                reader.assign(starts)
            left = {one.partition for one in starts}
            deadline = time.monotonic() + _END_OF_LOG_SECONDS
            while left:
                with self._named():
                    found = reader.consume(_PAGE, timeout=0.5)
                for message in found:
                    error = message.error()
                    if error is None:
                        yield message.value() or b""
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(message.partition())
                    else:
                        raise StreamUnavailable(f"{self.name}: {error}; see whether the brokers are well")
                if found:
                    deadline = time.monotonic() + _END_OF_LOG_SECONDS
                elif time.monotonic() > deadline:
                    raise StreamUnavailable(f"{self.name}: the log is not delivered; see whether the brokers are well")
        finally:
            reader.close()

    def close(self) -> None:
        with self._named():
            self._consumer.close()

    def _partitions(self) -> list[TopicPartition]:
        found = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return [TopicPartition(self._topic, number) for number in found.partitions]

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (KafkaException, RuntimeError) as error:
            raise StreamUnavailable(
                f"{self.name}: {error}; see whether the brokers run, streaming.url, and whether the topic exists"
            ) from error


def properties(brokers: str) -> dict[str, str]:
    """Of librdkafka, from `host:port,...?property=value&...`."""
    servers, _, options = brokers.partition("?")
    return {"bootstrap.servers": servers, **dict(parse_qsl(options, keep_blank_values=True))}
