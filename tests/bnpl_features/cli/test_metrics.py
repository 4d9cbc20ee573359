"""`bnpl-features metrics`: what can be told at the moment, and what happens where a part does not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.telemetry.catalogue import CATALOGUE
from bnpl_features.telemetry.metric import Teller
from tests.bnpl_features.cli.conftest import CommandLine
from tests.bnpl_features.monitoring.test_telling import NAME, samples
from tests.bnpl_features.store.shop import free_port

TOLD = {metric.name for metric in CATALOGUE if metric.teller is Teller.STORE}


def declared_in(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}


def test_everything_declared_of_the_installation_is_printed(cli: CommandLine) -> None:
    cli("simulate", "--customers", "60", "--days", "40")
    cli.shop.publish(50)

    printed = cli.done("metrics")

    assert declared_in(printed) == TOLD
    assert samples(printed)[f"bnpl_active_version {NAME}"] == 1
    assert samples(printed)["bnpl_collected warehouse"] == 1


def test_a_part_that_does_not_answer_is_told_and_ends_with_its_code(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("simulate", "--customers", "60", "--days", "40")
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")

    result = cli("metrics")

    assert result.exit_code == 4
    assert "store: cannot reach the store" in result.stderr
    assert samples(result.stdout)["bnpl_collected store"] == 0
    assert samples(result.stdout)["bnpl_collected warehouse"] == 1


def test_leaving_them_without_a_place_to_is_refused(cli: CommandLine) -> None:
    assert "set BNPL_TEXTFILE_FOLDER" in cli.refused("metrics", "--tell")


def test_they_are_left_for_node_exporter_too(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cli("simulate", "--customers", "60", "--days", "40")
    monkeypatch.setenv("BNPL_TEXTFILE_FOLDER", str(tmp_path / "told"))

    printed = cli.done("metrics", "--tell")

    told = samples((tmp_path / "told" / "bnpl_current.prom").read_text())
    assert told.keys() == samples(printed).keys()
