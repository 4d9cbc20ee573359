"""One desk for all tests of figures, to read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bnpl_features.store.embedded import embedded_store
from tests.bnpl_features.console.desk import Desk, new_desk
from tests.bnpl_features.store.shop import new_shop
from tests.lender import Lender


@pytest.fixture(scope="session")
def desk(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with embedded_store(tmp_path_factory.mktemp("store")) as url:
        yield new_desk(lender, new_shop(url), tmp_path_factory.mktemp("desk"))
