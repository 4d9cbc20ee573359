"""Lookups are counted by status and time, whichever thread made them."""

from __future__ import annotations

import threading

import pytest

from bnpl_features.store.reading.stats import BOUNDS_SECONDS, LookupStats


def test_nothing_was_looked_up_yet() -> None:
    stats = LookupStats()

    assert (stats.counts, stats.histograms(), stats.corrupt) == ({}, {}, 0)


def test_answers_are_counted_by_status_with_the_time_of_their_call() -> None:
    stats = LookupStats()

    stats.observe((("fresh", 2), ("unavailable", 1)), 0.002)
    stats.observe((("fresh", 1),), 0.2)

    assert stats.counts == {"fresh": 3, "unavailable": 1}
    buckets, seconds = stats.histograms()["fresh"]
    assert buckets == [0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    assert seconds == pytest.approx(2 * 0.002 + 0.2)


@pytest.mark.parametrize("position", range(len(BOUNDS_SECONDS)))
def test_a_bound_belongs_to_its_bucket(position: int) -> None:
    """As in Prometheus: `le` is less than or equal."""
    stats = LookupStats()
    stats.observe((("fresh", 1),), BOUNDS_SECONDS[position])
    stats.observe((("fresh", 1),), BOUNDS_SECONDS[position] * 1.001)

    buckets, _ = stats.histograms()["fresh"]

    assert [number for number, count in enumerate(buckets) if count] == [position, position + 1]


def test_corrupt_records_stand_among_the_counts_once_there_are_any() -> None:
    stats = LookupStats()
    stats.observe((("unknown_customer", 3),), 0.001, corrupt=2)

    assert stats.counts == {"unknown_customer": 3, "corrupt": 2}
    assert list(stats.histograms()) == ["unknown_customer"]


def test_an_empty_call_counts_nothing() -> None:
    stats = LookupStats()
    stats.observe((), 0.001)

    assert stats.counts == {}


def test_what_was_handed_out_does_not_change() -> None:
    stats = LookupStats()
    stats.observe((("fresh", 1),), 0.001)
    counts, histograms = stats.counts, stats.histograms()
    stats.observe((("fresh", 1),), 0.001)

    assert counts == {"fresh": 1}
    assert sum(histograms["fresh"][0]) == 1


def test_no_answer_of_any_thread_is_lost() -> None:
    stats = LookupStats()

    def observe() -> None:
        for _ in range(2_000):
            stats.observe((("fresh", 1), ("stale", 2)), 0.001, corrupt=1)

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stats.counts == {"fresh": 8_000, "stale": 16_000, "corrupt": 8_000}
