"""`bnpl-features features` and `catalogue`."""

from __future__ import annotations

import pytest

from bnpl_features.features.catalog import ALL_FEATURES
from tests.bnpl_features.cli.conftest import CommandLine


def test_the_table_has_every_feature(cli: CommandLine) -> None:
    printed = cli.done("features")

    assert all(feature.name in printed for feature in ALL_FEATURES.features)


def test_one_feature_comes_with_its_sql_to_the_letter(cli: CommandLine) -> None:
    printed = " ".join(cli.done("features", "credit_utilization_30d").split())

    assert "sql SUM({amount}) / NULLIF(MAX(IF(is_latest_limit, payment_credit_limit, NULL)), 0)" in printed
    assert "txn_count_7d" not in printed


def test_json_has_every_feature_group_by_group(cli: CommandLine) -> None:
    found = cli.json("features")

    assert [entry["feature"] for entry in found] == [feature.name for feature in ALL_FEATURES.features]
    assert all(entry["sql"] and entry["unit"] and entry["group"] for entry in found)


def test_json_of_one_feature(cli: CommandLine) -> None:
    (found,) = cli.json("features", "txn_count_7d")

    assert found["window"] == "7d"
    assert found["default"] == 0
    assert found["nullable"] is False


def test_an_unknown_feature_is_wrong_input(cli: CommandLine) -> None:
    assert "no feature 'nope'; `bnpl-features features` lists them" in cli.refused("features", "nope")


def test_the_reference_page_is_written_where_asked(cli: CommandLine) -> None:
    cli.done("features", "--write-reference", "docs/features.md")

    assert "credit_utilization_30d" in (cli.folder / "docs" / "features.md").read_text()


def test_the_catalogue_is_a_page_and_json_before_anything_was_computed(cli: CommandLine) -> None:
    (cli.folder / "warehouse").mkdir()

    assert "39 features in pages/catalogue.html" in cli.done("catalogue", "--out", "pages/catalogue.html")
    assert "No partition has been profiled yet." in (cli.folder / "pages" / "catalogue.html").read_text()

    found = cli.json("catalogue")

    assert [entry["name"] for entry in found["entries"]] == [feature.name for feature in ALL_FEATURES.features]
    assert found["observed"]["txn_count_7d"] == {"distribution": None, "importance": None, "models": []}


def test_the_declared_catalogue_connects_to_nothing(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNPL_MODEL_REGISTRY_URL", "sqlite:////proc/nowhere.db")

    cli.refused("catalogue", code=6)
    cli.done("catalogue", "--declared")

    assert "From the declarations only" in (cli.folder / "catalogue.html").read_text()
