"""Counts as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from bnpl_features.scoring.measures import counted, exposition, histogram


def test_large_counter_is_written_to_the_last_unit() -> None:
    text = exposition([("bnpl_requests_total", "counter", "Requests.", [((), 123_456_789)])]).decode()

    assert "bnpl_requests_total 123456789" in text.splitlines()


def test_prometheus_reads_back_what_was_counted() -> None:
    text = exposition(
        [
            ("bnpl_asked_total", "counter", "Asked.", counted(("who",), {('a "b"\n\\',): 2})),
            ("bnpl_seconds", "histogram", "Seconds.", histogram((0.1, 0.5), [3, 1, 2], 7.25)),
        ]
    ).decode()

    asked, seconds = text_string_to_metric_families(text)

    assert [(one.labels, one.value) for one in asked.samples] == [({"who": 'a "b"\n\\'}, 2.0)]
    assert [(one.name, one.labels.get("le"), one.value) for one in seconds.samples] == [
        ("bnpl_seconds_bucket", "0.1", 3.0),
        ("bnpl_seconds_bucket", "0.5", 4.0),
        ("bnpl_seconds_bucket", "+Inf", 6.0),
        ("bnpl_seconds_sum", None, 7.25),
        ("bnpl_seconds_count", None, 6.0),
    ]
