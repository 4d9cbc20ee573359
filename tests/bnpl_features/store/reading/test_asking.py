"""What is done about a server's refusal, whatever it says: a lookup is answered."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookup import Answer, Status
from bnpl_features.store.wire import Reply, ServerError
from tests.bnpl_features.store.shop import Shop


def answered(reader: CustomerFeatureStore, reply: Reply) -> Answer:
    """What a lookup comes to where every server that is asked gives this reply."""
    steps = reader.lookups.look_up(["customer-1"], None)
    step = next(steps)
    try:
        while True:
            step = steps.send([] if isinstance(step, float) else [[reply] * ask.replies for ask in step])
    except StopIteration as ended:
        [answer] = ended.value
        return answer


@pytest.mark.parametrize(
    "text",
    ["MOVED", "MOVED 3999", "MOVED 3999 h:port", "ASK", "ASK 1 :", "MOVED 3999 10.0.0.7:6379", "ASK 1 h:99999999"],
)
def test_a_redirection_to_nowhere_is_unavailable(shop: Shop, text: str) -> None:
    shop.publish()
    with shop.reader(budget_seconds=0.05) as reader:
        answer = answered(reader, ServerError(text))

    assert answer.status is Status.UNAVAILABLE
    assert answer.reason


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=20), st.sampled_from(["", "MOVED ", "ASK ", "TRYAGAIN ", "LOADING ", "ERR "]))
def test_any_refusal_is_unavailable(shop: Shop, text: str, code: str) -> None:
    if shop.active() is None:
        shop.publish()
    with shop.reader(budget_seconds=0.005) as reader:
        assert answered(reader, ServerError(code + text)).status is Status.UNAVAILABLE
