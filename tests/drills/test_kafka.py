"""A Kafka broker in a process of its own: joining a group takes it twenty seconds, so this stands among the drills."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bnpl_features.streaming.source import Message
from tests.bnpl_features.store.shop import wait_until
from tests.bnpl_features.streaming.brokers import kafka_broker, kafka_topic

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
