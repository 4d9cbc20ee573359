"""Traces of predictions, as a collector receives them from a real service."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bnpl_features.scoring.checkout import body, purchase
from tests.bnpl_features.scoring.counter import Counter, running
from tests.bnpl_features.store.shop import Shop
from tests.receiver import Receiver, attributes, receiver

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
PARTS = ["lookup", "assign", "score", "explain", "log"]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as received:
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", received.url)
        yield received


@pytest.fixture
def traced(collector: Receiver, stocked: Shop, folder: Path) -> Iterator[Counter]:
    with running(folder, stocked.url, stocked.namespace) as counter:
        yield counter


def test_a_prediction_is_a_span_of_the_callers_trace_with_its_parts_below(traced: Counter, collector: Receiver) -> None:
    reply = traced.ask("/v1/score?reasons=all", body(), traceparent=SAMPLED, x_request_id="order-17")
    assert traced.stop() == 0  # sends what waits

    request = collector.named("POST /v1/score")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert request.kind == request.SPAN_KIND_SERVER
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(request)["bnpl.request_id"] == reply.json["request_id"] == "order-17"
    parts = sorted((span for span in collector.spans if span is not request), key=lambda s: s.start_time_unix_nano)
    below = [span for span in parts if span.name != request.name]
    assert [span.name for span in below] == PARTS
    assert {span.parent_span_id for span in below} == {request.span_id}
    assert all(a.end_time_unix_nano <= b.start_time_unix_nano for a, b in itertools.pairwise(below))
    scored = attributes(collector.named("score"))
    assert (scored["bnpl.model"], scored["bnpl.arm"]) == ("behavioural", "champion")
    assert scored["bnpl.decision"] == reply.json["decision"]
    assert collector.services == {"bnpl-scoring"}


def test_no_span_knows_a_customer_or_a_purchase(traced: Counter, collector: Receiver) -> None:
    given = purchase(customer_id="customer-77", transaction_id="txn-secret", amount=98765.25)
    traced.ask("/v1/score", json.dumps(given).encode())
    traced.ask("/v1/score/batch", json.dumps({"purchases": [given] * 3}).encode())
    traced.ask("/v1/score", json.dumps(given | {"risk_level": "customer-77 is strange"}).encode())
    traced.ask("/v1/score", json.dumps(given | {"amount": "customer-77"}).encode())
    traced.ask("/v1/score/customer-77", b"{}")
    traced.stop()

    sent = b"".join(collector.bodies)
    assert len(collector.spans) > 10
    for secret in (b"customer-77", b"txn-secret", b"98765", b"strange"):
        assert secret not in sent


def test_without_a_caller_a_trace_begins_and_one_that_is_not_sampled_is_not_sent(
    traced: Counter, collector: Receiver
) -> None:
    traced.ask("/v1/score", body(), traceparent=NOT_SAMPLED)
    traced.ask("/v1/score", body(), traceparent="garbage")
    traced.ask("/healthz")
    traced.ask("/metrics")
    traced.stop()

    request = collector.named("POST /v1/score")
    assert request.parent_span_id == b""
    assert request.trace_id.hex() != TRACE


def test_what_is_refused_is_told_by_its_status(traced: Counter, collector: Receiver) -> None:
    traced.ask("/v1/score", b"not json", traceparent=SAMPLED)
    traced.stop()

    request = collector.named("POST /v1/score")
    assert attributes(request)["http.response.status_code"] == 400
    assert request.status.code == request.status.STATUS_CODE_UNSET  # the caller's fault, not ours


def test_a_collector_that_is_down_delays_no_prediction_and_no_end(
    collector: Receiver, stocked: Shop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with running(folder, stocked.url, stocked.namespace) as counter:
        assert counter.score()["decision"]
        assert counter.stop() == 0


def test_off_is_the_default_and_then_nothing_of_it_is_loaded() -> None:
    code = "import sys, bnpl_features.scoring.server, bnpl_features.store.publisher; print(' '.join(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    # redis-py loads OpenTelemetry's SDK where it is installed, to have metrics that are off.
    assert "bnpl_features.telemetry.tracing" in loaded
    assert not [name for name in loaded if name.startswith(("opentelemetry.exporter", "bnpl_features.telemetry.otlp"))]
