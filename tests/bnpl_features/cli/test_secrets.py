"""No command shows a secret: everything configured, nothing there, and each says why."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bnpl_features.variables import SECRETS, VARIABLES
from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.store.shop import free_port

CANARY = "hunter2-canary"
ASKED = [
    ("doctor", "--json"),
    ("metrics", "--tell"),
    ("test-alert",),
    ("models",),
    ("get", "customer-1"),
    ("versions",),
    ("stream", "lag"),
    ("stream", "work", "--until-idle"),
    ("run", "--partition", "2026-11-20"),
    ("erase", "customer-1", "--reason", "x"),
    ("store-users", "--passwords", "nowhere"),
    ("experiments", "list"),
]


def secrets() -> dict[str, str]:
    """Every secret setting, by its variable, with the canary in it."""
    nobody = f"127.0.0.1:{free_port()}"
    values = {
        "REDIS_URL": f"redis://reader:{CANARY}@{nobody}/0",
        "BNPL_CUSTOMER_KEY": CANARY,
        "BNPL_PREVIOUS_CUSTOMER_KEYS": f"{CANARY}-before",
        "BNPL_MODEL_REGISTRY_URL": f"http://user:{CANARY}@{nobody}",
        "BNPL_PUSHGATEWAY_URL": f"http://user:{CANARY}@{nobody}",
        "BNPL_ALERTS_WEBHOOK_URL": f"http://{nobody}/{CANARY}",
        "BNPL_ALERTS_MAIL_PASSWORD": CANARY,
        "BNPL_STREAMING_URL": f"redis://worker:{CANARY}@{nobody}/0",
        "BNPL_CONSOLE_SESSION_KEY": f"{CANARY}-of-thirty-two-bytes-or-more",
        "BNPL_CONSOLE_OIDC_CLIENT_SECRET": CANARY,
    }
    assert {VARIABLES[name] for name in values} == SECRETS
    return values


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_a_command_shows_no_secret(
    words: tuple[str, ...],
    cli: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, value in secrets().items():
        monkeypatch.setenv(name, value)
    for name, value in (("HOST", f"127.0.0.1:{free_port()}"), ("FROM", "a@b.test"), ("TO", "c@d.test")):
        monkeypatch.setenv(f"BNPL_ALERTS_MAIL_{name}", value.partition(":")[0])
    monkeypatch.setenv("BNPL_ALERTS_MAIL_PORT", str(free_port()))
    monkeypatch.setenv("BNPL_ALERTS_MAIL_USERNAME", "user")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    result = cli(*words)

    shown = result.stdout + result.stderr + caplog.text + "".join(map(repr, result.exc_info or ()))
    assert result.exit_code > 0
    assert len(shown) > 20
    assert CANARY not in shown
