"""Traces of publications, as a collector receives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.errors import PublicationRefused
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import begin, finish, place
from bnpl_features.store.publishing.plan import Plan
from bnpl_features.telemetry.otlp import exporting
from tests.bnpl_features.store.shop import DAY, LAYOUT, Shop, batches
from tests.receiver import attributes, receiver

STEPS = ["publish.begin", "publish.place", "publish.verify", "publish.switch"]


def test_a_publication_is_one_trace_also_where_its_steps_run_in_processes_of_their_own(
    shop: Shop, tmp_path: Path
) -> None:
    with receiver() as received:
        with exporting("publisher", received.url) as tracer:
            plan = begin(
                shop.target,
                LAYOUT,
                batches(300),
                partition=DAY,
                customers=300,
                provenance=Provenance(actor="tester"),
                shared_folder=tmp_path,
                tracer=tracer,
            )
        with exporting("worker", received.url) as tracer:
            place(shop.target, Plan.load(plan.folder), range(plan.ranges.count), tracer=tracer)
        with exporting("publisher", received.url) as tracer:
            finish(shop.target, Plan.load(plan.folder), tracer=tracer)

    spans = sorted(received.spans, key=lambda span: span.start_time_unix_nano)
    first = spans[0]
    assert [span.name for span in spans] == STEPS
    assert {span.trace_id for span in spans} == {first.trace_id}
    assert {span.parent_span_id for span in spans[1:]} == {first.span_id}
    assert attributes(first) == {"bnpl.partition": str(DAY), "bnpl.customers": 300, "bnpl.version": 1}
    assert received.services == {"publisher", "worker"}
    assert b"customer-" not in b"".join(received.bodies)


def test_a_publication_that_is_refused_fails_its_span_and_does_not_say_about_whom(shop: Shop) -> None:
    with receiver() as received, exporting("publisher", received.url) as tracer, pytest.raises(PublicationRefused):
        shop.publish(0, batches=batches(1), tracer=tracer)

    begun = received.named("publish.begin")
    assert begun.status.code == begun.status.STATUS_CODE_ERROR
    assert begun.status.message == ""
    assert attributes(begun)["error.type"] == "PublicationRefused"
    assert not begun.events
