"""A breaker opens after failures in a row and lets one attempt through now and then."""

from __future__ import annotations

import time

from bnpl_features.store.reading.breaker import Breaker


def test_it_stays_closed_below_the_threshold_and_after_a_success() -> None:
    breaker = Breaker(threshold=3, open_seconds=60)

    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.failed()

    assert breaker.allows()


def test_it_opens_at_the_threshold() -> None:
    breaker = Breaker(threshold=3, open_seconds=60)

    for _ in range(3):
        breaker.failed()

    assert not breaker.allows()


def test_it_lets_one_attempt_through_after_a_while_and_closes_on_success() -> None:
    breaker = Breaker(threshold=1, open_seconds=0.05)
    breaker.failed()
    time.sleep(0.06)

    attempts = [breaker.allows(), breaker.allows()]
    breaker.succeeded()

    assert attempts == [True, False]
    assert breaker.allows()


def test_attempts_that_were_under_way_together_fail_as_one() -> None:
    breaker = Breaker(threshold=3, open_seconds=60)
    asked_at = time.monotonic()

    for _ in range(100):
        breaker.failed(asked_at)
    was_asked_after_them = breaker.allows()
    for _ in range(2):
        breaker.failed(time.monotonic())

    assert was_asked_after_them
    assert not breaker.allows()
