"""A simulated day, on a real service and a real stream."""

from __future__ import annotations

from pathlib import Path

from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.scoring.counter import running


def test_purchases_like_yesterdays_are_scored_and_streamed(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("simulate", "--customers", "400", "--days", "3")

    with running(tmp_path / "service", cli.shop.url, cli.shop.namespace) as service:
        cli.done("simulate-day", "--url", service.url, "--per-second", "500", "--count", "15")
        assert service.metric("bnpl_predictions_total") == 15

    assert cli.shop.client.xlen(cli.shop.keyspace.purchases) == 15
    assert cli.done("stream", "work", "--until-idle").count("dead") == 0


def test_without_purchases_of_yesterday_it_says_how_to_get_some(cli: CommandLine) -> None:
    cli.done("simulate", "--customers", "50", "--days", "3", "--until", "2026-01-05")

    assert "run `bnpl-features demo` first" in cli.refused("simulate-day", "--count", "1")
