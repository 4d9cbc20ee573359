"""Experiments and API keys from the command line, on an embedded store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bnpl_features.cli.main import commands
from bnpl_features.scoring.keys import digest_of, read_keys


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BNPL_SCORING_EXPERIMENTS_FILE", str(tmp_path / "experiments.json"))


def said(*words: str) -> Result:
    return CliRunner().invoke(commands, words)


def test_experiment_is_started_adjusted_listed_and_stopped() -> None:
    assert said("experiments", "start", "autumn", "--arm", "champion=0.9", "--reason", "try").exit_code == 0
    assert said("experiments", "shares", "autumn", "--arm", "champion=0.5", "--reason", "less").exit_code == 0
    assert said("experiments", "stop", "autumn", "--reason", "decided").exit_code == 0

    (found,) = json.loads(said("experiments", "list", "--json").stdout)

    assert (found["name"], found["state"], found["stopped_because"]) == ("autumn", "stopped", "decided")
    assert found["shares"] == {"champion": 0.5}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("start", "autumn", "--arm", "champion", "--reason", "x"), "has no '='"),
        (("start", "autumn", "--arm", "champion=much", "--reason", "x"), "is no share"),
        (("start", "autumn", "--arm", "champion=2", "--reason", "x"), "each must be in 0..1"),
        (("stop", "autumn", "--reason", "x"), "there is no experiment"),
        (("power", "--rate", "0", "--difference", "0.1", "--customers-a-day", "5"), "must be in 0..1"),
    ],
)
def test_what_cannot_be_is_refused_with_2(words: tuple[str, ...], says: str) -> None:
    result = said("experiments", *words)

    assert result.exit_code == 2
    assert says in result.stderr.replace("\n", " ")


def test_power_says_customers_and_days() -> None:
    result = said("experiments", "power", "--rate", "0.05", "--difference", "-0.01", "--customers-a-day", "3000")

    assert "looks at any time" in result.stdout


def test_api_key_is_shown_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"

    key = said("api-key", "checkout", "--file", str(file)).stdout.strip()

    assert read_keys(file) == {digest_of(key): "checkout"}
    assert key not in file.read_text()
