"""`bnpl-features customer`, `drift-map`, `drift-distribution` and `models` print what the console's pages show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from bnpl_features.cli.main import commands
from bnpl_features.console.access.looks import ACT
from bnpl_features.store.versions import audit_trail
from tests.bnpl_features.console.desk import DAYS, FEATURE_SET, NEWEST, Desk


@pytest.fixture
def said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    for name, value in desk.variables.items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> str:
        result = CliRunner().invoke(commands, words)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def as_json(said: Callable[..., str], *words: str) -> Any:
    return json.loads(said(*words, "--json"))


def test_a_customer_is_shown_and_the_look_is_audited(said: Callable[..., str], desk: Desk) -> None:
    found = as_json(said, "customer", desk.known, "--set", FEATURE_SET.name)

    feature = next(one for one in found["features"] if one["name"] == "days_since_first_txn")
    assert feature["today"] - feature["yesterday"] == 1
    assert found["population"]["txn_count_30d"]["below"] > 0.9
    assert found["scores"][0]["reasons"] == []
    assert [one["code"] for one in found["scores"][1]["reasons"]] == ["R01", "R13"]
    newest = audit_trail(desk.shop.client, desk.shop.keyspace, 1)[0]
    assert (newest.act, newest.reason) == (ACT, "looked up from the command line")
    printed = said("customer", desk.known, "--set", FEATURE_SET.name)
    assert "Recent scores" in printed
    assert "R13 Number of recent purchases" in printed


def test_the_heat_map_is_a_table(said: Callable[..., str]) -> None:
    found = as_json(said, "drift-map", "--days", "7")

    assert found["days"] == [day.isoformat() for day in DAYS[1:]]
    assert "nothing moved in 3 days" in said("drift-map")
    assert "txn_count_30d" in said("drift-map", "--all", "--group", "volume")


def test_a_distribution_stands_beside_the_days_before(said: Callable[..., str]) -> None:
    words = ("drift-distribution", "volume", "txn_count_30d", "--day", NEWEST.isoformat())

    assert sum(one["now"] for one in as_json(said, *words)["bins"]) == pytest.approx(1.0)
    assert "█" in said(*words)


def test_champion_and_challenger_are_printed_with_intervals(said: Callable[..., str]) -> None:
    found = as_json(said, "models")

    assert [(one["role"], one["number"]) for one in found["judged"][:2]] == [("champion", 1), ("challenger", 2)]
    assert "challenger 2" in said("models", "--figures")


def test_the_gate_can_be_asked_without_promoting(said: Callable[..., str]) -> None:
    words = ("promote", "behavioural", "--version", "2", "--check")

    assert "the gate would let it pass" in said(*words)
    assert as_json(said, *words)["outcome"] == "passes"
    assert as_json(said, "models")["promotions"] == []


def test_a_promotion_without_a_reason_is_a_wrong_use() -> None:
    result = CliRunner().invoke(commands, ["promote", "behavioural"])

    assert result.exit_code == 2
    assert "--reason" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_taught_to_complete(shell: str) -> None:
    script = CliRunner().invoke(commands, ["completion", shell]).stdout

    assert f"_BNPL_FEATURES_COMPLETE={shell}_complete" in script
    complete = {"COMP_WORDS": "bnpl-features drift", "COMP_CWORD": "1", "_BNPL_FEATURES_COMPLETE": "bash_complete"}
    offered = CliRunner().invoke(commands, [], env=complete, prog_name="bnpl-features").stdout
    assert {"plain,drift", "plain,drift-map", "plain,drift-reference"} <= set(offered.split())
