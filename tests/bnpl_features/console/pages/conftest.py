"""The console on the desk: what its pages show is what the tests of figures look at."""

from __future__ import annotations

import pytest

from tests.bnpl_features.console.desk import Desk
from tests.bnpl_features.store.shop import Shop


@pytest.fixture(scope="module")
def shop(desk: Desk) -> Shop:
    return desk.shop


@pytest.fixture(scope="module")
def variables(desk: Desk) -> dict[str, str]:
    return desk.variables
