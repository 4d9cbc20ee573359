"""A Kafka broker in a process of its own: joining a group takes it twenty seconds, so this stands among the drills."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from bnpl_features.streaming.kafka_source import KafkaSource, properties
from bnpl_features.streaming.source import Message
from tests.bnpl_features.store.shop import free_port, wait_until
from tests.bnpl_features.streaming.brokers import kafka_broker, kafka_topic
from tests.test_encryption import files, tls_before

__all__ = ["files"]

pytestmark = pytest.mark.drill
PAYLOADS = [b"event %d" % number for number in range(200)]


def test_what_was_not_acknowledged_comes_again_and_the_log_has_all(tmp_path: Path) -> None:
    with kafka_broker(tmp_path) as brokers:
        broker = kafka_topic(brokers, partitions=2)
        broker.send(PAYLOADS)
        with closing(broker.open()) as first:
            taken: list[Message] = []
            wait_until(lambda: bool(taken.extend(first.poll(50, 0.5)) or len(taken) >= 50), "some come", 60)
            acknowledged = taken[:20]
            first.acknowledge(acknowledged)
        with closing(broker.open()) as second:
            found: set[bytes] = set()
            wait_until(lambda: found.update(m.payload for m in second.poll(50, 0.5)) or len(found) >= 180, "rest", 60)
            logged = list(second.log(since_ms=0))

    assert len(found | {message.payload for message in acknowledged}) == len(PAYLOADS)
    assert sorted(logged) == sorted(PAYLOADS)


def test_events_are_taken_from_kafka_over_tls(files: Path, tmp_path: Path) -> None:
    """The broker speaks in the clear; what stands before it, and is what it advertises, does not."""
    front = free_port()
    options = f"security.protocol=SSL&ssl.ca.location={files}/ca.pem"
    with kafka_broker(tmp_path, advertised=front) as behind, tls_before(behind, front, files):
        client = properties(f"127.0.0.1:{front}?{options}")
        administrator = AdminClient(client)
        administrator.create_topics([NewTopic("purchases", 1, 1)])["purchases"].result(20)
        producer = Producer(client)
        producer.produce("purchases", b"event")
        assert producer.flush(20) == 0
        source = KafkaSource(f"127.0.0.1:{front}?{options}", "purchases", "velocity")
        taken = list(source.log(0))
        source.close()  # the broker takes its time over a group that has just begun
        distrusting = AdminClient(client | {"ssl.ca.location": f"{files}/other-ca.pem"})
        with pytest.raises(KafkaException):
            distrusting.list_topics(timeout=0.5)

    assert taken == [b"event"]
