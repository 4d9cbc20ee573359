"""The estimate of memory is what a version takes, or a little more."""

from __future__ import annotations

import pytest

from bnpl_features.errors import StoreFull
from bnpl_features.store.publishing.preflight import MemoryPlan, check_memory, estimate_bytes
from tests.bnpl_features.store.shop import LAYOUT, Shop, batches


def test_the_estimate_is_not_below_and_not_far_above_what_a_version_takes(server_of_its_own: Shop) -> None:
    shop = server_of_its_own
    shop.publish()
    before = int(shop.client.info("memory")["used_memory"])

    shop.publish(customers=100_000, batches=batches(100_000, size=50_000))

    taken = int(shop.client.info("memory")["used_memory"]) - before
    assert taken * 0.98 < estimate_bytes(LAYOUT, 100_000) < taken * 1.25


@pytest.mark.parametrize(("limit", "fits"), [(0, True), (150, True), (149, False)])
def test_needed_and_used_memory_must_fit_the_limit(limit: int, fits: bool) -> None:
    plan = MemoryPlan(needed=100, used=50, limit=limit)

    if fits:
        check_memory(plan)
        return
    with pytest.raises(StoreFull, match="retire a version"):
        check_memory(plan)
