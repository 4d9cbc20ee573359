"""What the service exposes is what the catalogue says of it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from bnpl_features.telemetry.catalogue import CATALOGUE
from bnpl_features.telemetry.metric import Teller
from tests.bnpl_features.scoring.counter import Counter

DECLARED = {metric.name: metric for metric in CATALOGUE if metric.teller in (Teller.SERVICE, Teller.READER)}


def test_the_service_exposes_exactly_the_declared_metrics(counter: Counter) -> None:
    counter.score()
    counter.score(customer_id="nobody")

    text = counter.ask("/metrics").json

    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    assert types == {name: metric.kind.value for name, metric in DECLARED.items()}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metric = DECLARED.get(sample.name) or DECLARED[sample.name.rpartition("_")[0]]
            assert set(sample.labels) - {"le"} == set(metric.labels), sample.name


def test_a_prediction_counts_once_by_arm_decision_status_and_fallback(counter: Counter) -> None:
    known = 'bnpl_predictions_total{model="behavioural",version="1",experiment="",arm="champion"'
    unknown = 'bnpl_predictions_total{model="transaction_only"'
    before = counter.metric(known), counter.metric(unknown)

    counter.score()
    counter.score(customer_id="nobody")

    assert (counter.metric(known), counter.metric(unknown)) == (before[0] + 1, before[1] + 1)
    lines = [line for line in counter.ask("/metrics").json.splitlines() if line.startswith(unknown)]
    assert any('status="unknown_customer",fallback="unknown_customer"}' in line for line in lines)


def test_latency_is_told_by_path(counter: Counter) -> None:
    counter.ask("/healthz")
    counter.score()

    assert counter.metric('bnpl_request_seconds_count{path="/v1/score"}') >= 1
    assert counter.metric('bnpl_request_seconds_count{path="/healthz"}') >= 1
