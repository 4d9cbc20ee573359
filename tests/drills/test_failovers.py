"""A primary killed while a publication and lookups run: how long lookups had no answer, and that nothing was lost."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnpl_features.errors import BnplFeaturesError
from bnpl_features.store.publishing.progress import Progress
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.asking import Replicas
from bnpl_features.store.reading.lookup import Status
from tests.bnpl_features.store.shop import Shop, batches, new_shop
from tests.fleet import NODE_TIMEOUT_MILLISECONDS, Fleet, Unavailability, cluster, sentinel

pytestmark = pytest.mark.drill

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
CUSTOMERS = 300_000
LOOKUP_THREADS = 4


@pytest.mark.parametrize("replicas", [Replicas.WHEN_PRIMARY_FAILS, Replicas.NEVER], ids=str)
@pytest.mark.parametrize("starter", [cluster, sentinel], ids=["cluster", "sentinel"])
def test_a_primary_killed_while_a_publication_and_lookups_run(
    tmp_path: Path, starter: object, replicas: Replicas
) -> None:
    with starter(tmp_path) as fleet:  # type: ignore[operator]
        shop = new_shop(fleet.url)
        publish(shop, mark=1)
        silences = [Unavailability() for _ in range(LOOKUP_THREADS)]
        ended = threading.Event()
        wrong: list[str] = []
        with shop.reader(budget_seconds=0.02, replicas=replicas) as reader:
            concerned = [n for n in range(0, CUSTOMERS, 7) if holder_of(reader, n) == fleet.members[0].port]

            def look_up(number: int) -> bool:
                """Only customers whose server is going to die: others would hide the stretch."""
                customer_id = f"customer-{concerned[number % len(concerned)]}"
                answer = reader.get(customer_id)
                if answer.status is Status.UNKNOWN_CUSTOMER:
                    wrong.append(f"{customer_id} was said to be unknown")
                time.sleep(0.0005)
                return answer.status is Status.FRESH

            def keep_asking(silence: Unavailability, start: int) -> None:
                numbers = iter(range(start, 10**9, 7))
                silence.ask_until(ended.is_set, lambda: look_up(next(numbers)))

            threads = [threading.Thread(target=keep_asking, args=(s, 11 * n)) for n, s in enumerate(silences)]
            for thread in threads:
                thread.start()
            outcome = publish_while_a_primary_dies(shop, fleet)
            time.sleep(2 * NODE_TIMEOUT_MILLISECONDS / 1000 + 1)
            ended.set()
            for thread in threads:
                thread.join()
        with shop.reader(budget_seconds=10.0) as reader:
            answers = reader.get_many([f"customer-{number}" for number in range(CUSTOMERS)])

    asked, failed = sum(s.asked for s in silences), sum(s.failed for s in silences)
    longest = max(s.longest_seconds for s in silences)
    print(
        f"\n{starter.__name__}, replicas {replicas}: publication {outcome}; {failed:,} of {asked:,} lookups "  # type: ignore[attr-defined]
        f"unavailable, the longest stretch {longest * 1e3:,.0f} ms; {len(answers):,} customers read back afterwards"
    )
    assert wrong == []
    expected = 2 if outcome == "succeeded" else 1
    assert {(answer.status, answer["txn_count_7d"]) for answer in answers} == {(Status.FRESH, expected)}


def holder_of(reader: CustomerFeatureStore, number: int) -> int:
    """The port of the primary that holds the customer."""
    assert reader.served is not None
    bucket_key, _ = reader.served.request(f"customer-{number}")
    shard = reader.lookups.follower.routes.shard_of(bucket_key)
    assert shard is not None
    return shard.primary.port


def publish(shop: Shop, mark: int, **more: object) -> None:
    shop.publish(customers=CUSTOMERS, batches=batches(CUSTOMERS, mark=mark, size=20_000), day=YESTERDAY, **more)


def publish_while_a_primary_dies(shop: Shop, fleet: Fleet) -> str:
    def kill(progress: Progress) -> None:
        if progress.step == "stage and verify" and fleet.members[0].process.poll() is None:
            fleet.members[0].kill()

    started = time.perf_counter()
    try:
        publish(shop, mark=2, report=kill)
    except BnplFeaturesError as error:
        return f"failed cleanly ({error})"
    print(f"the publication took {time.perf_counter() - started:.1f} s, the failover included")
    return "succeeded"
