"""News once, to everyone, and again to whoever did not take it."""

from __future__ import annotations

import pytest

from bnpl_features.alerts import delivery
from bnpl_features.alerts.alert import MOST_TEXT, Alert, Severity
from bnpl_features.alerts.delivery import Ledger, deliver
from bnpl_features.errors import AlertUndelivered

LATE = Alert("late:2026-03-10", "The publication is late", "At 06:00", Severity.ERROR, "http://dagster.test/runs/1")
DONE = Alert("done", "The models were trained again", "drift", Severity.INFO)


class Desk:
    """A target that takes alerts while it is open."""

    def __init__(self, name: str, *, is_open: bool = True) -> None:
        self.name = name
        self.is_open = is_open
        self.offered = 0
        self.taken: list[Alert] = []

    def send(self, alert: Alert) -> None:
        self.offered += 1
        if not self.is_open:
            raise AlertUndelivered(f"{self.name} is closed; open it")
        self.taken.append(alert)


def restarted(ledger: Ledger) -> Ledger:
    return Ledger.from_json(ledger.to_json())


def test_the_same_news_is_sent_once_until_it_is_time_to_repeat_it() -> None:
    desk = Desk("desk")
    ledger = Ledger()
    for minutes in (0, 1, 59, 60, 61):
        ledger = restarted(deliver([LATE, LATE], [desk], ledger, now=60.0 * minutes, repeat_seconds=3_600.0))

    assert desk.taken == [LATE, LATE]


def test_a_target_that_fails_holds_up_no_other_and_gets_the_alert_later() -> None:
    closed, desk = Desk("closed", is_open=False), Desk("desk")

    ledger = restarted(deliver([LATE, DONE], [closed, desk], Ledger(), now=0.0))
    assert desk.taken == [LATE, DONE]
    assert closed.offered == 1  # the second would only wait for the same timeout again

    closed.is_open = True
    ledger = deliver([], [closed, desk], ledger, now=60.0)

    assert closed.taken == [LATE, DONE]
    assert desk.taken == [LATE, DONE]
    assert ledger.waiting == ()


def test_what_waits_for_a_target_that_is_gone_is_dropped() -> None:
    ledger = deliver([LATE], [Desk("closed", is_open=False)], Ledger(), now=0.0)

    assert deliver([], [Desk("desk")], ledger, now=1.0).waiting == ()


def test_a_target_that_is_down_for_long_is_not_flooded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(delivery, "MOST_WAITING", 3)
    alerts = [Alert(f"run:{number}", "failed", "") for number in range(5)]

    ledger = deliver(alerts, [Desk("closed", is_open=False)], Ledger(), now=0.0)

    assert [one.alert.key for one in ledger.waiting] == ["run:2", "run:3", "run:4"]
    assert "2 alerts are given up" in caplog.text


def test_a_text_without_an_end_is_cut_and_keeps_its_link() -> None:
    body = Alert("k", "t", "x" * 10_000, link="http://dagster.test/runs/1").body

    assert len(body) < MOST_TEXT + 100
    assert body.endswith("...\nhttp://dagster.test/runs/1")
