"""What is exposed is what is declared, and Prometheus's own conventions hold."""

from __future__ import annotations

import re
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bnpl_features.telemetry.catalogue import CATALOGUE
from bnpl_features.telemetry.exposition import exposition
from bnpl_features.telemetry.metric import Kind, Metric, Teller, by_label, distributed, valued
from tests.monitors import program

each = pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)


def test_no_name_is_declared_twice() -> None:
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)


@each
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"bnpl_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.help.endswith(".")
    assert not {"job", "instance", "le", "customer", "customer_id"} & set(metric.labels)


def test_every_digit_of_a_value_is_written() -> None:
    [metric] = [one for one in CATALOGUE if one.name == "bnpl_reasons_late_total"]

    assert b"\nbnpl_reasons_late_total 12345678.0\n" in exposition([valued(metric, 12_345_678)])


def test_what_is_written_reads_back_whatever_a_label_holds() -> None:
    metric = Metric("bnpl_strange", Kind.GAUGE, Teller.SERVICE, "Strange.", ("a", "b"))
    strange = 'quote " backslash \\ newline \n end'

    [family] = text_string_to_metric_families(exposition([by_label(metric, {(strange, 1): 2.5})]).decode())

    [sample] = family.samples
    assert (sample.labels, sample.value) == ({"a": strange, "b": "1"}, 2.5)


def test_buckets_count_what_is_at_or_below_their_bound() -> None:
    metric = Metric("bnpl_took", Kind.HISTOGRAM, Teller.SERVICE, "Took.", ("path",))

    family = distributed(metric, (0.1, 1.0), {("/a",): ([3, 2, 1], 4.5)})

    values = {sample.suffix + dict(sample.labels).get("le", ""): sample.value for sample in family.samples}
    assert values == {"_bucket0.1": 3, "_bucket1": 5, "_bucket+Inf": 6, "_sum": 4.5, "_count": 6}


def test_a_value_with_other_labels_than_declared_is_refused() -> None:
    metric = Metric("bnpl_labelled", Kind.GAUGE, Teller.SERVICE, "Labelled.", ("a",))

    with pytest.raises(ValueError, match="zip"):
        by_label(metric, {("x", "y"): 1.0})


def test_prometheus_own_linter_finds_nothing() -> None:
    families = [
        distributed(metric, (1.0,), {("x",) * len(metric.labels): ([1, 1], 2.0)})
        if metric.kind is Kind.HISTOGRAM
        else by_label(metric, {("x",) * len(metric.labels): 1.0})
        for metric in CATALOGUE
    ]

    linted = subprocess.run(
        [program("promtool", "prometheus"), "check", "metrics"], input=exposition(families), capture_output=True
    )

    assert linted.returncode == 0, (linted.stdout + linted.stderr).decode()
