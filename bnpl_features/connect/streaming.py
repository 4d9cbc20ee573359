"""Settings -> the broker of purchase events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bnpl_features.connect.extras import extra
from bnpl_features.errors import InputError, StreamUnavailable
from bnpl_features.settings import StreamingSettings
from bnpl_features.store.connection import connect
from bnpl_features.store.target import Target
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource

if TYPE_CHECKING:
    from bnpl_features.streaming.source import Source


@contextmanager
def open_source(settings: StreamingSettings, target: Target) -> Iterator[Source]:
    """The configured broker of purchase events; raises `StreamUnavailable` where it does not answer."""
    source: Source
    if settings.source == "kafka":
        with extra("kafka"):
            from bnpl_features.streaming.kafka_source import KafkaSource

        source = KafkaSource(settings.url, settings.topic or "purchases", settings.group)
    elif settings.source == "pubsub":
        with extra("pubsub"):
            from bnpl_features.streaming.pubsub_source import PubSubSource

        source = PubSubSource(settings.url)
    else:
        client = connect(settings.url) if settings.url else target.client
        stream = settings.topic or target.keyspace.purchases
        source = RedisSource(client, stream, settings.group, settings.claim_seconds)
    try:
        yield source
    finally:
        with suppress(StreamUnavailable):
            source.close()


def redis_producer(settings: StreamingSettings, target: Target) -> RedisProducer:
    """Who sends events to the stream that `redis` workers read; raises `InputError` where the broker is another."""
    if settings.source != "redis":
        raise InputError(f"streaming.source is {settings.source}: send events with the broker's own tools")
    client = connect(settings.url) if settings.url else target.client
    stream = settings.topic or target.keyspace.purchases
    return RedisProducer(client, stream, settings.group, settings.most_waiting, settings.kept_hours)
