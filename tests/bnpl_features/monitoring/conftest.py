"""A server that these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bnpl_features.store.embedded import embedded_store
from tests.bnpl_features.store.shop import Shop, new_shop


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_store(tmp_path_factory.mktemp("valkey"), "--maxmemory", "64mb") as url:
        yield url


@pytest.fixture
def shop(valkey: str) -> Shop:
    return new_shop(valkey)
