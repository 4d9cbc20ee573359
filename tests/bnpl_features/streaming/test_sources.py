"""What every broker promises a worker, through its official client, with a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from bnpl_features.errors import InputError, StreamUnavailable
from bnpl_features.streaming.source import Message, Source
from tests.bnpl_features.store.shop import Shop, wait_until
from tests.bnpl_features.streaming.brokers import (
    Broker,
    kafka_mock,
    kafka_topic,
    pubsub_emulator,
    pubsub_topic,
    redis_stream,
)

PAYLOADS = [b"event %d" % number for number in range(25)]


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    with kafka_mock() as brokers:
        yield brokers


@pytest.fixture(scope="module")
def pubsub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pubsub_emulator(tmp_path_factory.mktemp("pubsub")) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUBSUB_EMULATOR_HOST", address)
        yield address


@pytest.fixture(params=["valkey", "debian_redis", "kafka", "pubsub"])
def broker(request: pytest.FixtureRequest) -> Broker:
    address: Any = request.getfixturevalue(request.param)
    makes = {"valkey": redis_stream, "debian_redis": redis_stream, "kafka": kafka_topic}
    return makes[request.param](address) if request.param in makes else pubsub_topic()


def drained(source: Source, count: int) -> list[Message]:
    found: list[Message] = []

    def enough() -> bool:
        polled = source.poll(10, 0.2)
        source.acknowledge(polled)
        found.extend(polled)
        return len(found) >= count

    wait_until(enough, f"{count} messages come", 30)
    return found


def test_every_event_comes_once_to_a_source_that_acknowledges(broker: Broker) -> None:
    with closing(broker.open()) as source:
        broker.send(PAYLOADS)
        found = drained(source, len(PAYLOADS))

        assert sorted(message.payload for message in found) == sorted(PAYLOADS)
        assert not source.poll(10, 0.1)


@pytest.mark.parametrize("broker", ["valkey", "debian_redis", "pubsub"], indirect=True)
def test_what_was_not_acknowledged_comes_again_to_another(broker: Broker) -> None:
    broker.send(PAYLOADS)
    first = broker.open()
    polled: list[Message] = []
    wait_until(lambda: bool(polled.extend(first.poll(10, 0.2)) or polled), "some come", 30)
    first.close()

    with closing(broker.open()) as second:
        found = drained(second, len(PAYLOADS))

    assert {message.payload for message in found} == set(PAYLOADS)


def test_lag_is_none_once_all_is_acknowledged(broker: Broker) -> None:
    with closing(broker.open()) as source:
        broker.send(PAYLOADS)
        drained(source, len(PAYLOADS))
        source.poll(10, 0.1)
        lag = source.lag()

    assert not lag.waiting
    assert lag.oldest_seconds == 0.0


@pytest.mark.parametrize("broker", ["valkey", "debian_redis"], indirect=True)
def test_the_log_has_what_was_acknowledged(broker: Broker) -> None:
    with closing(broker.open()) as source:
        broker.send(PAYLOADS)
        drained(source, len(PAYLOADS))

        assert sorted(source.log(since_ms=0)) == sorted(PAYLOADS)


@pytest.mark.parametrize("broker", ["pubsub"], indirect=True)
def test_pub_sub_says_that_it_has_no_log(broker: Broker) -> None:
    with closing(broker.open()) as source, pytest.raises(InputError, match="seek the subscription"):
        source.log(since_ms=0)


def test_two_workers_share_the_events(shop: Shop) -> None:
    broker = redis_stream(shop.url)
    one, other = broker.open(), broker.open()
    broker.send(PAYLOADS)

    taken = [message.payload for source in (one, other) for message in source.poll(13, 0.1)]

    assert sorted(taken) == sorted(PAYLOADS)


def test_a_broker_that_is_not_there_is_named() -> None:
    from bnpl_features.streaming.kafka_source import KafkaSource

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bnpl_features.streaming.kafka_source.ANSWER_SECONDS", 0.5)
        with pytest.raises(StreamUnavailable, match="see whether the brokers run"):
            KafkaSource("127.0.0.1:1", "events", "velocity")
