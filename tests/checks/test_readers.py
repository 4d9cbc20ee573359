"""A deprecated set that somebody still reads is a warning; declarations are compared with what is recorded."""

from dataclasses import replace
from datetime import date

import pytest

from bnpl_features.derive.lock import Lock
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.readers import announce
from checks import declarations
from checks.readers import readers_check
from resources.settings import SettingsResource
from resources.store import StoreResource
from tests.code_location import CodeLocation


@pytest.mark.parametrize(
    ("deprecated_on", "is_read", "passed"),
    [(date(2026, 12, 31), True, False), (date(2026, 12, 31), False, True), (None, True, True)],
)
def test_a_deprecated_set_is_not_to_be_read(
    location: CodeLocation, deprecated_on: date | None, is_read: bool, passed: bool
) -> None:
    if is_read:
        announce(connect(location.url), Keyspace(location.namespace), [BEHAVIOURAL.name])
    check = readers_check(replace(BEHAVIOURAL, deprecated_on=deprecated_on))

    found = check(store=StoreResource(settings=SettingsResource(overrides=location.variables)))

    assert found.passed is passed
    assert len(found.metadata["readers"].value) == is_read
    assert passed or "is deprecated on 2026-12-31, but 1 readers read it" in (found.description or "")


def test_a_redefined_feature_fails_the_check_of_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    assert declarations.declarations_check().passed

    recorded = declarations.recorded()
    other = {**recorded.features["txn_count_7d"], "window": "14d"}
    changed = Lock({**recorded.features, "txn_count_7d": other}, recorded.sets)
    monkeypatch.setattr(declarations, "recorded", lambda: changed)
    found = declarations.declarations_check()

    assert not found.passed
    assert "txn_count_7d: window was 14d, is 7d" in (found.description or "")
