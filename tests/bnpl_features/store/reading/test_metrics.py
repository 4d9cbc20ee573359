"""What Prometheus is told of lookups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bnpl_features.store.reading.metrics import lookup_families
from bnpl_features.telemetry.collector import FamilyCollector
from tests.bnpl_features.store.shop import Shop

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def scraped(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """Samples by name and status, bucket or server."""
    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            found[sample.name, " ".join(sorted(sample.labels.values()))] = sample.value
    return found


def test_answers_latency_pointer_and_circuits_are_told(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    registry = CollectorRegistry()
    with shop.reader() as reader:
        registry.register(FamilyCollector(lambda: lookup_families(reader.lookups)))
        reader.get_many(["customer-1", "customer-2", "nobody"])

        found = scraped(registry)

    assert found["bnpl_lookup_answers_total", "fresh"] == 2
    assert found["bnpl_lookup_answers_total", "unknown_customer"] == 1
    assert found["bnpl_lookup_seconds_count", "fresh"] == 2
    assert found["bnpl_lookup_seconds_bucket", "+Inf fresh"] == 2
    assert 0 < found["bnpl_lookup_seconds_sum", "fresh"] < 2
    assert 0 <= found["bnpl_pointer_age_seconds", ""] < 5
    assert found["bnpl_served_version", ""] == 1
    end = datetime.combine(YESTERDAY + timedelta(days=1), datetime.min.time(), UTC)
    assert found["bnpl_served_as_of_timestamp_seconds", ""] == end.timestamp()
    assert found["bnpl_circuit_open", shop.url.removeprefix("redis://").removesuffix("/0")] == 0


def test_an_open_circuit_is_told(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    registry = CollectorRegistry()
    with shop.reader() as reader:
        registry.register(FamilyCollector(lambda: lookup_families(reader.lookups)))
        reader.get("customer-1")
        [breaker] = reader.lookups.asker.breakers.values()
        for _ in range(breaker.threshold):
            breaker.failed()

        found = scraped(registry)

    assert found["bnpl_circuit_open", shop.url.removeprefix("redis://").removesuffix("/0")] == 1
