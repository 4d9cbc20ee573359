"""`bnpl-features simulate` and `load`."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from bnpl_features.derive.query import Query
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.cli.conftest import CommandLine
from tests.edge_cases import edge_case_transactions

SMALL = ("simulate", "--customers", "40", "--days", "20", "--until", "2026-03-10")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "purchases.parquet"
    duckdb.from_arrow(edge_case_transactions().slice(0, 50)).write_parquet(str(path))
    return path


def purchases(cli: CommandLine) -> int:
    (batch,) = DuckDBWarehouse(cli.folder / "warehouse").read(Query("SELECT COUNT(*) FROM transactions", {}), {})
    return int(batch.column(0)[0].as_py())


def test_simulate_writes_the_purchases_it_counts(cli: CommandLine) -> None:
    printed = cli.done(*SMALL)

    assert "purchases of 40 customers, 2026-02-19 to 2026-03-10" in printed
    assert int(printed.split()[0].replace(",", "")) == purchases(cli) > 0


def test_simulating_again_changes_nothing(cli: CommandLine) -> None:
    cli.done(*SMALL)
    before = purchases(cli)

    cli.done(*SMALL)

    assert purchases(cli) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--customers", "0"), "customers is 0: choose between 1 and 10,000,000"),
        (("--customers", "many"), "'many' is not a valid integer"),
        (("--days", "0"), "0 is not in the range"),
        (("--days", "99999999"), "99999999 is not in the range"),
        (("--seed", "-1"), "seed is -1: choose an integer of at least 0"),
        (("--until", "0001-01-05"), "date value out of range"),
        (("--until", "yesterday"), "does not match the format"),
    ],
)
def test_senseless_arguments_are_wrong_usage(words: tuple[str, ...], says: str, cli: CommandLine) -> None:
    assert says in cli.refused("simulate", *words)
    assert not (cli.folder / "warehouse").exists()


def test_a_folder_that_cannot_be_made_ends_with_3(cli: CommandLine) -> None:
    (cli.folder / "warehouse").write_text("in the way")

    assert "warehouse cannot be written" in cli.refused(*SMALL, code=3)


def test_load_reads_a_file_and_reports(cli: CommandLine, file: Path) -> None:
    report = cli.json("load", str(file))

    assert report["rows_read"] == report["rows_loaded"] == 50
    assert report["first_timestamp"].endswith("+00:00")
    assert purchases(cli) == 50


def test_load_prints_a_table_for_people(cli: CommandLine, file: Path) -> None:
    printed = cli.done("load", str(file))

    assert "rows loaded" in printed
    assert "50" in printed


def test_load_refuses_a_file_and_names_the_mend(cli: CommandLine, file: Path) -> None:
    renamed = duckdb.read_parquet(str(file)).project("* EXCLUDE (amount), amount AS order_total")
    renamed.write_parquet(str(cli.folder / "renamed.parquet"))

    said = cli.refused("load", "renamed.parquet")

    assert "column 'amount' (FLOAT64) is missing" in said
    assert not (cli.folder / "warehouse").exists()
    assert cli.json("load", "renamed.parquet", "--column", "amount=order_total")["rows_loaded"] == 50


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("no-such-file.csv",), "no file matches 'no-such-file.csv'"),
        (("purchases.parquet", "--column", "amount"), "write CANONICAL=OWN"),
        (("purchases.parquet", "--column", "amuont=x"), "did you mean 'amount'?"),
        (("purchases.parquet", "--assume-timezone", "Mars/Olympus"), "'Mars/Olympus' is no time zone"),
        ((), "Missing argument"),
    ],
)
def test_wrong_words_of_load_are_named(words: tuple[str, ...], says: str, cli: CommandLine, file: Path) -> None:
    assert says in cli.refused("load", *words)


def test_a_corrupt_file_is_refused(cli: CommandLine) -> None:
    (cli.folder / "broken.parquet").write_bytes(b"PAR1 no more")

    assert "broken.parquet" in cli.refused("load", "broken.parquet")
