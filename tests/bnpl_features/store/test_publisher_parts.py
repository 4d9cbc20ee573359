"""A publication in parts that share a folder: begun, placed and finished by different processes, and by several."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from bnpl_features.errors import PublicationRefused, StoreUnavailable, VerificationFailed
from bnpl_features.store import publisher
from bnpl_features.store.address import parse_address
from bnpl_features.store.connection import client_of
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import begin, finish, place
from bnpl_features.store.publishing import placing, spool
from bnpl_features.store.publishing.plan import PlacedRange, Plan
from bnpl_features.store.publishing.progress import Progress
from bnpl_features.store.target import Target
from bnpl_features.store.versions import State, audit_trail, list_versions
from tests.bnpl_features.store.shop import DAY, LAYOUT, Shop, batches, free_port, wait_until

ROOT = Path(__file__).parents[3]
CUSTOMERS = 1_000


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four ranges of four buckets."""
    monkeypatch.setattr(spool, "CUSTOMERS_PER_RANGE", 250)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def begun(shop: Shop, shared: Path, mark: int = 1, **changes: Any) -> Plan:
    given = {
        "partition": DAY,
        "customers": CUSTOMERS,
        "provenance": Provenance(run_id="run-1", actor="tester"),
        "shared_folder": shared,
    } | changes
    return begin(shop.target, LAYOUT, batches(CUSTOMERS, mark=mark), **given)


def stored(shop: Shop, version: int) -> dict[bytes, dict[bytes, bytes]]:
    return {key: shop.client.hgetall(key) for key in shop.bucket_keys(version)}


def dumped(shop: Shop, version: int) -> dict[bytes, bytes]:
    return {key: shop.client.dump(key) for key in shop.bucket_keys(version)}


def assert_nothing_left(shop: Shop, shared: Path, active: int | None) -> None:
    assert list(shared.iterdir()) == []
    assert shop.active() == active
    assert not shop.client.exists(shop.keyspace.lease)
    held = {version.number for version in list_versions(shop.client, shop.keyspace)}
    assert held == ({active} if active else set())


WORKER = """
import sys
from pathlib import Path
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import begin, finish, place
from bnpl_features.store.publishing import spool
from bnpl_features.store.publishing.plan import Plan
from tests.bnpl_features.store.shop import DAY, LAYOUT, Shop, batches

spool.CUSTOMERS_PER_RANGE = 250
url, namespace, part, folder = sys.argv[1:5]
target = Shop(url, namespace).target
if part == "begin":
    given = {"partition": DAY, "customers": 1_000, "provenance": Provenance(), "shared_folder": Path(folder)}
    print(begin(target, LAYOUT, batches(1_000, mark=5), **given).folder)
elif part == "place":
    place(target, Plan.load(Path(folder)), map(int, sys.argv[5:]))
else:
    print(finish(target, Plan.load(Path(folder))).manifest.version)
"""


def worker(shop: Shop, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, shop.url, shop.namespace, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)


def output(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return said.strip()


def test_processes_that_share_a_folder_publish_together(shop: Shop, shared: Path) -> None:
    folder = output(worker(shop, "begin", str(shared)))
    for process in [worker(shop, "place", folder, "0", "2"), worker(shop, "place", folder, "1", "3")]:
        output(process)
    version = output(worker(shop, "finish", folder))

    assert (version, shop.active()) == ("1", 1)
    assert_nothing_left(shop, shared, active=1)
    with shop.reader() as reader:
        found = reader.get_many([f"customer-{number}" for number in range(CUSTOMERS)])
    assert [answer["txn_count_30d"] for answer in found] == [number % 200 for number in range(CUSTOMERS)]


def test_parts_come_to_the_same_bytes_as_one_publication(any_shop: Shop, shared: Path) -> None:
    plan = begun(any_shop, shared)
    for number in (3, 1, 0, 2):
        place(any_shop.target, plan, [number])
    in_parts = finish(any_shop.target, plan)

    whole = any_shop.publish(customers=CUSTOMERS)

    prefix = any_shop.keyspace.bucket_prefix
    assert {key.removeprefix(prefix(1)): value for key, value in dumped(any_shop, 1).items()} == {
        key.removeprefix(prefix(2)): value for key, value in dumped(any_shop, 2).items()
    }
    assert plan.ranges.count == 4
    assert in_parts.manifest.checksum == whole.manifest.checksum
    assert len(whole.manifest.checksum.split()) == 4


def test_a_range_placed_again_leaves_the_same_bytes_and_figures(any_shop: Shop, shared: Path) -> None:
    plan = begun(any_shop, shared)
    before = place(any_shop.target, plan, range(4))
    bytes_before = dumped(any_shop, 1)

    again = place(any_shop.target, plan, [1, 2], again=True)

    assert dumped(any_shop, 1) == bytes_before
    for first, second in zip(before[1:3], again, strict=True):
        assert (first.customers, first.checksum, first.fullest, first.empty) == (
            second.customers,
            second.checksum,
            second.fullest,
            second.empty,
        )
    assert finish(any_shop.target, plan).manifest.customers == CUSTOMERS


def test_a_range_placed_again_although_it_is_not_there_is_placed(shop: Shop, shared: Path) -> None:
    plan = begun(shop, shared)

    place(shop.target, plan, range(4), again=True)

    assert finish(shop.target, plan).manifest.customers == CUSTOMERS


def test_a_range_that_is_there_already_is_refused_unless_it_is_placed_again(shop: Shop, shared: Path) -> None:
    shop.publish()
    plan = begun(shop, shared)
    place(shop.target, plan, [0])

    with pytest.raises(VerificationFailed, match="was there already and took"):
        place(shop.target, plan, [0])

    assert_nothing_left(shop, shared, active=1)
    assert shop.bucket_keys(2) == []


def test_a_customer_of_another_range_in_a_bucket_is_found_when_it_is_placed_again(shop: Shop, shared: Path) -> None:
    """What else was written into a bucket in the meantime is gone: a bucket is written as a whole."""
    plan = begun(shop, shared)
    place(shop.target, plan, range(4))
    as_placed = stored(shop, 1)
    shop.client.hset(shop.bucket_keys(1)[0], "theirs", "data")

    place(shop.target, plan, range(4), again=True)

    assert stored(shop, 1) == as_placed


KILLED = """
import sys
from pathlib import Path
from bnpl_features.store.publisher import place
from bnpl_features.store.publishing import placing
from bnpl_features.store.publishing.plan import Plan
from tests.bnpl_features.store.shop import Shop

def half(connection, rows, buckets, ttl_seconds, *, again):
    stage_buckets(connection, rows, buckets[: len(buckets) // 2], ttl_seconds, again=again)
    print("now", flush=True)
    sys.stdin.read()

stage_buckets, placing.stage_buckets = placing.stage_buckets, half
url, namespace, folder = sys.argv[1:]
place(Shop(url, namespace).target, Plan.load(Path(folder)), [1], abandon_on_failure=False)
"""


def test_a_range_whose_worker_was_killed_in_the_middle_is_placed_again(shop: Shop, shared: Path) -> None:
    shop.publish()
    plan = begun(shop, shared, mark=6)
    place(shop.target, plan, [0])
    words = [sys.executable, "-c", KILLED, shop.url, shop.namespace, str(plan.folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    half_placed = len(shop.bucket_keys(2))

    place(shop.target, plan, [1], again=True)
    place(shop.target, plan, [2, 3])
    finish(shop.target, plan)

    assert half_placed == 6
    assert len(shop.bucket_keys(2)) == 16
    assert_served(shop, 6)
    assert list(shared.iterdir()) == []


def test_a_range_that_is_missing_stops_the_publication(shop: Shop, shared: Path) -> None:
    shop.publish()
    plan = begun(shop, shared)
    place(shop.target, plan, [0, 1, 3])

    with pytest.raises(PublicationRefused, match=r"placed/2\.json is missing"):
        finish(shop.target, plan)

    assert_nothing_left(shop, shared, active=1)
    assert shop.bucket_keys(2) == []


def test_a_range_that_lost_customers_stops_the_publication(shop: Shop, shared: Path) -> None:
    shop.publish()
    plan = begun(shop, shared)
    placed = place(shop.target, plan, range(4))
    PlacedRange(**vars(placed[2]) | {"customers": placed[2].customers - 1}).save(plan)

    with pytest.raises(VerificationFailed, match="999 of 1,000 customers were placed: a range was left out"):
        finish(shop.target, plan)

    assert_nothing_left(shop, shared, active=1)


def test_buckets_that_vanish_between_the_parts_stop_the_publication(shop: Shop, shared: Path) -> None:
    shop.publish()
    plan = begun(shop, shared)
    place(shop.target, plan, range(4))
    shop.client.delete(shop.bucket_keys(2)[5])

    with pytest.raises(VerificationFailed, match=r"expired or was evicted|reads back with"):
        finish(shop.target, plan)

    assert_nothing_left(shop, shared, active=1)


def test_a_beginning_that_fails_leaves_no_folder_and_no_lease(shop: Shop, shared: Path) -> None:
    shop.publish()

    with pytest.raises(VerificationFailed, match="handed over 1000"):
        begun(shop, shared, customers=1_001)

    assert_nothing_left(shop, shared, active=1)


def test_a_partition_that_is_refused_leaves_no_folder_and_no_lease(shop: Shop, shared: Path) -> None:
    shop.publish()

    with pytest.raises(PublicationRefused, match="has no customers"):
        begun(shop, shared, customers=0)

    assert_nothing_left(shop, shared, active=1)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError, VerificationFailed, redis.ResponseError])
@pytest.mark.parametrize("abandons", [True, False])
def test_a_part_that_fails_for_good_leaves_nothing(
    shop: Shop, shared: Path, failure: type[BaseException], abandons: bool
) -> None:
    """Whoever means to try again does so where the store is not available; any other fault ends the publication."""
    shop.publish()
    plan = begun(shop, shared)

    def fail(progress: Progress) -> None:
        raise failure("a fault")

    with pytest.raises(BaseException, match="a fault"):
        place(shop.target, plan, range(4), report=fail, abandon_on_failure=abandons)

    assert_nothing_left(shop, shared, active=1)
    assert audit_trail(shop.client, shop.keyspace)[0].act == "fail"


def test_a_store_that_is_away_for_a_while_leaves_the_publication_to_be_gone_on_with(shop: Shop, shared: Path) -> None:
    plan = begun(shop, shared)
    place(shop.target, plan, [0, 1])

    def cut(progress: Progress) -> None:
        raise redis.ConnectionError("cut")

    with pytest.raises(StoreUnavailable, match="cut"):
        place(shop.target, plan, [2, 3], report=cut, abandon_on_failure=False)
    place(shop.target, plan, [2, 3], again=True)

    assert finish(shop.target, plan).manifest.customers == CUSTOMERS
    assert_nothing_left(shop, shared, active=1)


def test_an_end_that_was_cut_off_is_tried_again(shop: Shop, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish()
    for moment in ("close_publication", "activate", "sweep"):
        plan = begun(shop, shared, mark=8)
        place(shop.target, plan, range(4))
        with monkeypatch.context() as patch:
            patch.setattr(publisher, moment, cut_after(moment))
            with pytest.raises(StoreUnavailable, match="cut"):
                finish(shop.target, plan, abandon_on_failure=False)

        publication = finish(shop.target, plan)

        assert (publication.manifest.version, publication.previous) == (plan.version, plan.expected)
        assert shop.active() == plan.version
        states = {version.number: version.state for version in list_versions(shop.client, shop.keyspace)}
        assert states[plan.version] is State.ACTIVE
        assert list(shared.iterdir()) == []
    assert_served(shop, 8)


def cut_after(moment: str) -> Any:
    """The step of `publisher`, whose reply is lost."""
    step = getattr(publisher, moment)

    def cut(*given: Any, **more: Any) -> Any:
        step(*given, **more)
        raise redis.ConnectionError("cut")

    return cut


def test_a_publication_in_parts_is_abandoned_by_the_part_that_fails_and_the_next_one_goes_ahead(
    shop: Shop, shared: Path
) -> None:
    shop.publish()
    plan = begun(shop, shared)
    with pytest.raises(PublicationRefused):
        finish(shop.target, plan)

    with pytest.raises(PublicationRefused, match="another part of this publication failed"):
        place(shop.target, plan, [1])
    publication = shop.publish(mark=4)

    assert publication.previous == 1
    assert list(shared.iterdir()) == []
    assert_served(shop, 4)


def test_a_store_that_went_away_for_good_leaves_no_folder(shop: Shop, shared: Path) -> None:
    plan = begun(shop, shared)
    client = client_of(parse_address(f"redis://127.0.0.1:{free_port()}"), timeout_seconds=1.0)
    gone = Target(client, shop.keyspace, shop.target.key)

    with pytest.raises(StoreUnavailable):
        place(gone, plan, range(4))

    assert list(shared.iterdir()) == []


def test_the_folder_of_a_publisher_that_died_is_removed_a_day_later(shop: Shop, shared: Path) -> None:
    """It holds digests and the customers of a sample; a younger one may be of a publication under way elsewhere."""
    for name, age_seconds in (("bnpl-publish-old", 90_000), ("bnpl-publish-new", 3_000), ("somebody-elses", 90_000)):
        (shared / name / "rows").mkdir(parents=True)
        os.utime(shared / name, (time.time() - age_seconds,) * 2)

    plan = begun(shop, shared)

    assert {path.name for path in shared.iterdir()} == {"bnpl-publish-new", "somebody-elses", plan.folder.name}


def test_staged_buckets_expire_by_themselves(shop: Shop, shared: Path) -> None:
    plan = begun(shop, shared)
    place(shop.target, plan, range(4))

    assert all(0 < shop.client.ttl(key) <= placing.STAGED_TTL_SECONDS for key in shop.bucket_keys(1))


def test_the_lease_is_kept_between_the_parts_for_as_long_as_one_works(
    shop: Shop, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnpl_features.store.publishing.lease.LEASE_SECONDS", 0.4)
    plan = begun(shop, shared)
    held: list[bool] = []

    def linger(progress: Progress) -> None:
        held.append(wait_until(lambda: shop.client.pttl(shop.keyspace.lease) > 300, "it is renewed") < 5)

    place(shop.target, plan, range(4), report=linger)

    assert held == [True] * 4
    assert finish(shop.target, plan).manifest.version == 1


def assert_served(shop: Shop, mark: int) -> None:
    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == mark
