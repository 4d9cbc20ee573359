"""Settings become the parts that they describe."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bnpl_features.connect.data import open_reader, open_target, open_warehouse, store_url
from bnpl_features.derive.query import Query
from bnpl_features.errors import SettingsError, StoreUnavailable
from bnpl_features.settings import StoreSettings, WarehouseSettings
from bnpl_features.store.connection import connect
from bnpl_features.warehouse.duckdb import DuckDBWarehouse


def test_duckdb_is_opened_with_its_folder_threads_and_memory(tmp_path: Path) -> None:
    warehouse = open_warehouse(WarehouseSettings(folder=tmp_path, threads=1, memory_limit="200MB"))

    (batch,) = warehouse.read(Query("SELECT current_setting('threads') AS threads", {}), {})
    assert isinstance(warehouse, DuckDBWarehouse)
    assert warehouse.name == f"DuckDB in {tmp_path}"
    assert batch.to_pylist() == [{"threads": 1}]


def test_opening_a_warehouse_makes_nothing(tmp_path: Path) -> None:
    open_warehouse(WarehouseSettings(folder=tmp_path / "later"))

    assert not (tmp_path / "later").exists()


def test_an_engine_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    monkeypatch.delitem(sys.modules, "bnpl_features.warehouse.duckdb", raising=False)

    with pytest.raises(SettingsError, match=r"needs duckdb, .* pip install 'bnpl-features\[warehouse\]'"):
        open_warehouse(WarehouseSettings())


def test_a_configured_store_is_used_as_it_is(tmp_path: Path) -> None:
    with store_url(StoreSettings(url="redis://store.example:6379/3", folder=tmp_path / "unused")) as url:
        assert url == "redis://store.example:6379/3"

    assert not (tmp_path / "unused").exists()


def test_without_an_address_the_embedded_store_runs_as_long_as_the_block(tmp_path: Path) -> None:
    settings = StoreSettings(folder=tmp_path, namespace="ours", customer_key=b"secret")

    with open_target(settings) as target, store_url(settings) as url:
        target.client.set("kept", "yes")
        assert target.keyspace.namespace == "ours"
        assert connect(url).get("kept") == b"yes"

    with pytest.raises(StoreUnavailable):
        connect(url)
    with open_target(settings) as target:
        assert target.client.get("kept") == b"yes"


def test_a_reader_of_an_empty_store_answers_that_nothing_was_published(tmp_path: Path) -> None:
    with open_reader(StoreSettings(folder=tmp_path)) as reader:
        assert reader.get("anyone").reason == "nothing was published to this namespace yet"


@pytest.mark.parametrize("opening", [open_target, open_reader])
def test_a_store_that_is_down_is_unavailable(opening: object) -> None:
    with (
        pytest.raises(StoreUnavailable, match=r"cannot reach the store at redis://127[.]0[.]0[.]1:1"),
        opening(StoreSettings(url="redis://127.0.0.1:1/0")),  # type: ignore[operator]
    ):
        pass
