"""A publisher killed at random moments: the active version is intact every time, and nothing stays behind."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.versions import State, list_versions
from tests.bnpl_features.store.shop import Shop, batches, new_shop, wait_until

ROOT = Path(__file__).parents[2]
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
CUSTOMERS = 20_000
LEASE_SECONDS = 1.0
STAGED_TTL_SECONDS = 2

PUBLISHER = """
import sys
from datetime import date
from bnpl_features.store.publishing import lease, placing
from tests.bnpl_features.store.shop import Shop, batches

url, namespace, customers, mark, day, lease.LEASE_SECONDS, placing.STAGED_TTL_SECONDS = sys.argv[1:]
lease.LEASE_SECONDS, placing.STAGED_TTL_SECONDS = float(lease.LEASE_SECONDS), int(placing.STAGED_TTL_SECONDS)
given = list(batches(int(customers), mark=int(mark), size=5_000))
print("now", flush=True)
Shop(url, namespace).publish(
    customers=int(customers), batches=iter(given), day=date.fromisoformat(day)
)
print("done", flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.drill)])
def test_a_publisher_killed_at_any_moment_leaves_the_active_version_intact(tmp_path: Path, kills: int) -> None:
    dice = random.Random(20_26)
    found_in: Counter[str] = Counter()
    with embedded_store(tmp_path / "store") as url:
        shop = new_shop(url)
        shop.publish(customers=CUSTOMERS, batches=batches(CUSTOMERS, mark=1), day=YESTERDAY)
        longest = time_of_a_publication(shop)
        for number in range(kills):
            mark = 2 + number
            before = shop.active()
            kill_after(shop, mark, dice.uniform(0.0, longest))
            newest = list_versions(shop.client, shop.keyspace)[0]
            was_published = shop.active() != before
            found_in[newest.state.value if newest.number != before else "before allocation"] += 1
            expected = mark if was_published else None
            assert_intact(shop, expected)
            assert_staged_buckets_expire(shop)
            shop.client.delete(shop.keyspace.lease)
            shop.publish(customers=CUSTOMERS, batches=batches(CUSTOMERS, mark=mark), day=YESTERDAY)
            assert_intact(shop, mark)

    print(f"\n{kills} kills found the version: {dict(found_in)}")


def time_of_a_publication(shop: Shop) -> float:
    """A little more than a publication in a process of its own takes."""
    with publisher(shop, mark=1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        started = time.perf_counter()
        assert process.stdout.readline() == b"done\n"
        return 1.1 * (time.perf_counter() - started)


def kill_after(shop: Shop, mark: int, seconds: float) -> None:
    with publisher(shop, mark) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


def publisher(shop: Shop, mark: int) -> subprocess.Popen[bytes]:
    words = [shop.url, shop.namespace, CUSTOMERS, mark, YESTERDAY, LEASE_SECONDS, STAGED_TTL_SECONDS]
    return subprocess.Popen([sys.executable, "-c", PUBLISHER, *map(str, words)], stdout=subprocess.PIPE, cwd=ROOT)


def assert_intact(shop: Shop, mark: int | None) -> None:
    """Every customer is served, all with one mark: `mark`, where it is known."""
    with shop.reader(budget_seconds=5.0) as reader:
        answers = reader.get_many([f"customer-{number}" for number in range(CUSTOMERS)])
    seen = {(answer.status, answer["txn_count_7d"]) for answer in answers}
    assert len(seen) == 1
    status, found = seen.pop()
    assert status is Status.FRESH
    assert mark is None or found == mark % 255


def assert_staged_buckets_expire(shop: Shop) -> None:
    for version in list_versions(shop.client, shop.keyspace):
        if version.state is State.STAGING:
            staged = [key for key in shop.bucket_keys(version.number) if shop.client.ttl(key) != -1]
            wait_until(lambda staged=staged: not shop.client.exists(*staged or [b"-"]), "they expire", 5)
