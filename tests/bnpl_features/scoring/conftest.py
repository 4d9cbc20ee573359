"""Fixtures with real parts: a Valkey with customers, a running service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnpl_features.store.embedded import embedded_store
from tests.bnpl_features.scoring.counter import Counter, running
from tests.bnpl_features.store.shop import Shop, new_shop

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A store with 300 fresh customers, `customer-0` on; to read."""
    with embedded_store(tmp_path_factory.mktemp("valkey")) as url:
        shop = new_shop(url)
        shop.publish(300, YESTERDAY)
        yield shop


@pytest.fixture(scope="session")
def counter(stocked: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """A service that tests share; whoever changes or stops it starts another."""
    with running(tmp_path_factory.mktemp("counter"), stocked.url, stocked.namespace) as service:
        yield service


@pytest.fixture
def shop(stocked: Shop) -> Shop:
    """A namespace of the test's own, with 300 fresh customers."""
    shop = new_shop(stocked.url)
    shop.publish(300, YESTERDAY)
    return shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "counter"
