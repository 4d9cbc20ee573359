"""The OpenAPI document against a running service: what it promises is what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from bnpl_features.scoring.keys import new_key
from bnpl_features.scoring.openapi import document
from tests.bnpl_features.scoring.counter import Counter, running
from tests.bnpl_features.store.shop import Shop

DOCUMENT = document(500)


@pytest.fixture(scope="module")
def guarded(stocked: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Counter, str]]:
    """A service that wants an API key, and one."""
    folder = tmp_path_factory.mktemp("guarded")
    key, line = new_key("contract")
    (folder / "keys.txt").write_text(line + "\n")
    with running(folder, stocked.url, stocked.namespace, keys_file=folder / "keys.txt") as service:
        yield service, key


# JSON Schema has no bounds for times; the first and last hours of the calendar are refused (test_server.py).
times = st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))
schemathesis.openapi.format("date-time", times.map(datetime.isoformat))
schema = schemathesis.openapi.from_dict(DOCUMENT)


@schema.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_answers_are_those_of_the_document(case: Any, guarded: tuple[Counter, str]) -> None:
    counter, key = guarded
    case.call_and_validate(base_url=counter.url, headers={"Authorization": f"Bearer {key}"})


def test_the_document_is_what_the_service_shows(counter: Counter) -> None:
    assert counter.ask("/openapi.json").json == DOCUMENT


@pytest.mark.parametrize("outcome", ["will_default", "days_to_first_missed_payment", "status"])
def test_no_outcome_is_part_of_a_request(outcome: str) -> None:
    assert outcome not in DOCUMENT["components"]["schemas"]["Purchase"]["properties"]
