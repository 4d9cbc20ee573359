"""`bnpl-features doctor`: the findings as lines or JSON, and an exit code."""

from __future__ import annotations

import pytest

from tests.bnpl_features.cli.conftest import CommandLine


def test_an_installation_that_works_ends_with_0(cli: CommandLine) -> None:
    cli.done("simulate", "--customers", "40", "--days", "20")

    printed = cli.done("doctor")

    assert "fail" not in printed
    assert "ok    warehouse: DuckDB in" in printed


def test_findings_as_json(cli: CommandLine) -> None:
    cli.done("simulate", "--customers", "40", "--days", "20")

    findings = cli.json("doctor")

    assert {finding["level"] for finding in findings} <= {"ok", "warn"}
    assert {"settings", "customer key", "warehouse", "source", "store"} <= {f["subject"] for f in findings}


def test_what_fails_is_on_one_line_with_its_mend_and_code(cli: CommandLine) -> None:
    result = cli("doctor")

    assert result.exit_code == 3
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("fail")]
    assert "run `bnpl-features simulate` or `bnpl-features load FILE`, or set BNPL_WAREHOUSE_FOLDER" in line


def test_a_store_that_is_down_ends_with_4_after_all_else_was_looked_at(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    result = cli("doctor")

    assert result.exit_code == 4
    assert "fail  warehouse" in result.stdout
    assert "fail  store: cannot reach the store at redis://127.0.0.1:1/0" in result.stdout
