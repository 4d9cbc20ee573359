"""Alerts tried by hand, and the question whether the models would be trained again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bnpl_features.alerts.test_targets import address, hook
from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.cli.test_pipeline import call, environment

__all__ = ["environment", "hook"]


def test_a_test_alert_goes_to_every_target(cli: CommandLine, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_ALERTS_WEBHOOK_URL", address(hook))

    assert cli.done("test-alert").splitlines() == ["log: sent", "webhook: sent"]
    [(_, body)] = hook.bodies
    assert b"A test alert" in body


def test_a_target_that_does_not_take_it_ends_with_its_code(
    cli: CommandLine, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.status = 403
    monkeypatch.setenv("BNPL_ALERTS_WEBHOOK_URL", address(hook))

    result = cli("test-alert")

    assert result.exit_code == 7
    assert "it answered 403" in result.stdout
    assert "secret" not in result.output


def test_mail_without_a_recipient_is_a_wrong_setting(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_ALERTS_MAIL_HOST", "smtp.internal")
    monkeypatch.setenv("BNPL_ALERTS_MAIL_FROM", "features@lender.test")

    assert "alerts.mail_to" in cli.refused("test-alert")


def test_outlook_on_a_new_instance_says_that_there_is_nothing_yet(environment: dict[str, str]) -> None:
    printed = call(environment, "retraining")

    assert "no: no partition has been checked yet" in printed
    assert "the sensor retrain_on_drift is not started" in printed
