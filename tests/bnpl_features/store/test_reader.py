"""A reader answers within its budget, from one version, and never raises."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from bnpl_features.errors import LayoutMismatch, StoreUnavailable
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.store.keyspace import FIRST_SET
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.follower import POLL_SECONDS
from bnpl_features.store.reading.lookup import Answer, Status
from bnpl_features.store.reading.lookups import BUDGET_SECONDS
from bnpl_features.store.retirement import retire
from bnpl_features.store.switching import roll_back
from tests.bnpl_features.store.conftest import Server
from tests.bnpl_features.store.shop import (
    DAY,
    LAYOUT,
    Shop,
    batches,
    free_port,
    mortal_server,
    renamed,
    wait_until,
)
from tests.proxy import proxy

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
SLACK_SECONDS = 0.05
"""What a busy machine may add to a time limit before a test calls it broken."""


def test_a_customer_of_yesterdays_partition_is_fresh(any_shop: Shop) -> None:
    any_shop.publish(day=YESTERDAY)

    with any_shop.reader() as reader:
        answer = reader.get("customer-7")

    assert answer.status is Status.FRESH
    assert answer.names == LAYOUT.names
    assert answer.partition_date == YESTERDAY
    assert answer["risk_score_mean_30d"] is None
    assert answer["lifecycle_stage"] in ("new", "reactivated", "active")
    assert isinstance(answer["txn_count_30d"], int)


def test_an_old_partition_is_served_as_stale(any_shop: Shop) -> None:
    any_shop.publish(day=DAY)

    with any_shop.reader() as reader:
        answer = reader.get("customer-7")

    assert answer.status is Status.STALE
    assert answer["txn_count_30d"] == 7


@pytest.mark.parametrize(("hours", "status"), [(30, Status.FRESH), (0, Status.STALE)])
def test_staleness_counts_from_the_end_of_the_partition(shop: Shop, hours: int, status: Status) -> None:
    shop.publish(day=YESTERDAY)

    with shop.reader(stale_after=timedelta(hours=hours)) as reader:
        assert reader.get("customer-1").status is status


@pytest.mark.parametrize("customer_id", ["nobody", "", "\udc80", "名", "a" * 10_000])
def test_an_unknown_customer_gets_the_declared_defaults(any_shop: Shop, customer_id: str) -> None:
    any_shop.publish(day=YESTERDAY)

    with any_shop.reader() as reader:
        answer = reader.get(customer_id)

    assert answer.status is Status.UNKNOWN_CUSTOMER
    assert answer.as_dict() == {feature.name: feature.default for feature in BEHAVIOURAL.features}


def test_answers_are_counted_by_status(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)

    with shop.reader() as reader:
        reader.get_many(["customer-1", "nobody", "customer-2"])

        assert reader.counts == {Status.FRESH: 2, Status.UNKNOWN_CUSTOMER: 1}


def test_a_lookup_is_one_command_and_a_batch_one_write(server_of_its_own: Shop) -> None:
    shop = server_of_its_own
    shop.publish(day=YESTERDAY)
    with shop.reader(announce=False) as reader:
        reader.get("customer-1")  # connects
        before = calls(shop.client)

        reader.get("customer-1")
        after_one = calls(shop.client)
        reader.get_many([f"customer-{number}" for number in range(50)])
        after_batch = calls(shop.client)

    # The poll of the pointer, once a second, and this test's own INFO are all else that there is.
    assert changes(before, after_one) == {"hget": 1}
    assert changes(after_one, after_batch) == {"hget": 50}


def test_an_empty_batch_is_answered_without_the_server(shop: Shop) -> None:
    shop.publish()

    with shop.reader() as reader:
        assert reader.get_many([]) == []


def test_a_batch_is_read_from_one_version_while_versions_switch(shop: Shop) -> None:
    shop.publish(mark=1)
    customers = [f"customer-{number}" for number in range(300)]
    ended = threading.Event()

    def keep_publishing() -> None:
        for mark in (2, 3, 4, 5):
            shop.publish(mark=mark)
        ended.set()

    thread = threading.Thread(target=keep_publishing)
    with shop.reader() as reader:
        thread.start()
        seen = []
        while not ended.is_set():
            seen.append(reader.get_many(customers))
        thread.join()

    assert len(seen) > 10
    for batch in seen:
        assert len({(answer.version, answer["txn_count_7d"]) for answer in batch}) == 1
        assert {answer.status for answer in batch} == {Status.STALE}


def test_a_switch_is_noticed_by_notification_well_before_the_poll(any_shop: Shop) -> None:
    any_shop.publish()
    with any_shop.reader() as reader:
        time.sleep(0.2)  # the subscription stands
        any_shop.publish()

        seconds = wait_until(lambda: reader.get("customer-1").version == 2, "the new version is served")

    assert seconds < POLL_SECONDS / 2


def test_a_switch_whose_notification_was_lost_is_noticed_by_the_poll(shop: Shop) -> None:
    shop.publish()
    shop.publish()
    with shop.reader() as reader:
        time.sleep(0.2)
        shop.client.set(shop.keyspace.active, 1)

        wait_until(lambda: reader.get("customer-1").version == 1, "the poll finds it", POLL_SECONDS + 1)


def test_a_rollback_is_noticed(shop: Shop) -> None:
    shop.publish(mark=1)
    shop.publish(mark=2)
    with shop.reader() as reader:
        time.sleep(0.2)
        roll_back(shop.client, shop.keyspace, actor="tester", reason="drill")

        wait_until(lambda: reader.get("customer-1")["txn_count_7d"] == 1, "version 1 is served")


def test_a_reader_that_still_holds_the_version_before_reads_it(shop: Shop) -> None:
    shop.publish(mark=1)
    with shop.reader() as reader:
        held = reader.served
        assert held is not None
        shop.publish(mark=2)
        wait_until(lambda: reader.get("customer-1").version == 2, "the switch")

        reply = shop.client.execute_command(*words_of(held.request("customer-5")[1]))

    assert held.answer(reply, time.time())["txn_count_7d"] == 1


def test_a_version_that_was_retired_under_a_reader_is_not_taken_for_unknown_customers(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    with shop.reader() as reader:
        reader.lookups.follower.close()
        # As after an hour in which the pointer could not be read.
        reader.lookups.follower._confirmed_at[FIRST_SET] -= 3_600
        shop.client.delete(*shop.bucket_keys(1))

        answer = reader.get("customer-1")

    assert answer.status is Status.UNAVAILABLE
    assert "not confirmed" in answer.reason


def test_nothing_published_is_unavailable_until_something_is(any_shop: Shop) -> None:
    with any_shop.reader() as reader:
        before = reader.get("customer-1")
        time.sleep(0.2)
        any_shop.publish(day=YESTERDAY)
        wait_until(lambda: reader.get("customer-1").status is Status.FRESH, "the first version is served")

    assert before.status is Status.UNAVAILABLE
    assert before.reason == "nothing was published to this namespace yet"
    assert before["txn_count_30d"] == 0
    assert before["lifecycle_stage"] == "new"


@pytest.mark.parametrize("damage", ["too short", "too long", "empty", "another layout's tag"])
def test_a_corrupt_record_is_counted_and_served_as_a_miss(shop: Shop, damage: str) -> None:
    shop.publish(day=YESTERDAY)
    with shop.reader() as reader:
        assert reader.served is not None
        _, bucket, field = words_of(reader.served.request("customer-1")[1])
        record = shop.client.hget(bucket, field)
        damaged = {
            "too short": record[:-1],
            "too long": record + b"x",
            "empty": b"",
            "another layout's tag": bytes([record[0] ^ 1]) + record[1:],
        }
        shop.client.hset(bucket, field, damaged[damage])

        answer = reader.get("customer-1")

        assert answer.status is Status.UNKNOWN_CUSTOMER
        assert answer["txn_count_7d"] == 0
        assert answer.reason == f"corrupt record of {len(damaged[damage])} bytes"
        assert reader.counts["corrupt"] == 1
        assert reader.get("customer-2").status is Status.FRESH


def test_a_bucket_of_another_type_is_unavailable(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    with shop.reader() as reader:
        assert reader.served is not None
        _, bucket, _ = words_of(reader.served.request("customer-1")[1])
        shop.client.set(bucket, "somebody else's")

        answer = reader.get("customer-1")

    assert answer.status is Status.UNAVAILABLE
    assert "WRONGTYPE" in answer.reason


def test_another_customer_key_is_refused_at_construction(shop: Shop) -> None:
    shop.publish()

    with pytest.raises(LayoutMismatch, match=r"version 1 was published with another customer key.*BNPL_CUSTOMER_KEY"):
        shop.reader(customer_key=b"wrong")


def test_a_port_that_is_closed_is_refused_at_construction() -> None:
    port = free_port()

    with pytest.raises(StoreUnavailable, match=f"cannot reach the store at redis://127.0.0.1:{port}/0"):
        CustomerFeatureStore(f"redis://127.0.0.1:{port}/0")


def test_no_customer_key_is_warned_of(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="bnpl_features"):
        shop.reader(customer_key=b"").close()

    assert "set BNPL_CUSTOMER_KEY in production" in caplog.text


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"format": 1}', b'{"format": 2}', b"\xff", None])
def test_a_damaged_manifest_leaves_the_version_at_hand_served(
    shop: Shop, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    shop.publish(mark=1)
    with shop.reader() as reader:
        time.sleep(0.1)
        if damage is not None:
            shop.client.set(shop.keyspace.manifest(2), damage)
        shop.client.set(shop.keyspace.active, 2)
        shop.client.publish(shop.keyspace.events, "2")
        wait_until(lambda: "keep serving the version at hand" in caplog.text, "the log says so")

        assert reader.get("customer-1")["txn_count_7d"] == 1
        assert reader.get("customer-1").version == 1


def test_a_manifest_that_nobody_foresaw_does_not_stop_a_reader_from_following(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.publish(mark=1)
    twice = renamed(LAYOUT, "txn_count_7d", "txn_count_30d")
    with shop.reader() as reader:
        served = reader.served
        assert served is not None
        shop.client.set(shop.keyspace.manifest(2), replace(served.manifest, version=2, layout=twice).to_json())
        shop.client.set(shop.keyspace.active, 2)
        wait_until(lambda: "keep serving the version at hand" in caplog.text, "the log says so")
        assert reader.get("customer-1").version == 1
        shop.client.set(shop.keyspace.active, 1)
        shop.client.set(shop.keyspace.counter, 2)
        shop.publish(mark=3)

        wait_until(lambda: reader.get("customer-1")["txn_count_7d"] == 3, "the next version is served")


def test_a_record_is_decoded_by_the_manifests_layout_alone(shop: Shop) -> None:
    """The publisher's release had another name, another order and one feature less than this release's catalogue."""
    theirs = renamed(LAYOUT, "txn_count_7d", "purchases_of_a_week")
    theirs = type(theirs)(theirs.feature_set, tuple(reversed(theirs.fields[:-1])))
    shop.publish(customers=20, day=YESTERDAY, layout=theirs, batches=batches(20, layout=theirs))

    with shop.reader() as reader:
        answer = reader.get("customer-3")

    assert answer.status is Status.FRESH
    assert answer.names == theirs.names
    assert answer["purchases_of_a_week"] in (0, 1, 2)


# --- servers that hang, die and come back -----------------------------------------------------------------------------


def test_a_hung_server_is_unavailable_within_the_budget_and_the_circuit_opens(
    mortal: tuple[Shop, int, int],
) -> None:
    shop, pid, _ = mortal
    with shop.reader(budget_seconds=BUDGET_SECONDS) as reader:
        wait_until(lambda: reader.get("customer-1").status is Status.FRESH, "the reader is warm")
        os.kill(pid, signal.SIGSTOP)

        hung = [timed(reader, "customer-1") for _ in range(20)]

        assert {answer.status for answer, _ in hung} == {Status.UNAVAILABLE}
        assert median([seconds for _, seconds in hung[:5]]) < BUDGET_SECONDS + 0.003
        assert max(seconds for _, seconds in hung) < BUDGET_SECONDS + SLACK_SECONDS
        assert "circuit is open" in hung[-1][0].reason
        assert median([seconds for _, seconds in hung[-10:]]) < 0.001
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: reader.get("customer-1").status is Status.FRESH, "it recovers")


def test_a_hung_batch_is_unavailable_within_the_budget(mortal: tuple[Shop, int, int]) -> None:
    shop, pid, _ = mortal
    customers = [f"customer-{number}" for number in range(50_000)]
    with shop.reader(budget_seconds=0.2) as reader:
        reader.get("customer-1")
        os.kill(pid, signal.SIGSTOP)

        started = time.monotonic()
        answers = reader.get_many(customers)
        seconds = time.monotonic() - started

        assert len(answers) == 50_000
        assert {answer.status for answer in answers} == {Status.UNAVAILABLE}
        # Packing the commands and counting the answers is this process's own work, a few µs a customer.
        assert seconds < 2 * 0.2 + 1.6


def test_a_killed_server_is_unavailable_and_served_again_once_it_is_back(
    mortal: tuple[Shop, int, int], tmp_path: Path
) -> None:
    shop, pid, port = mortal
    with shop.reader() as reader:
        before = reader.get("customer-1")
        assert before.status is Status.FRESH
        os.kill(pid, signal.SIGKILL)
        dead = wait_until(lambda: reader.get("customer-1").status is Status.UNAVAILABLE, "it is gone")

        assert dead < 0.5
        with mortal_server(tmp_path / "mortal", port):
            wait_until(lambda: reader.get("customer-1").status is Status.FRESH, "it is back")
            assert before.partition_date
            shop.publish(day=before.partition_date, mark=8)  # at midnight yesterday becomes another day
            wait_until(lambda: reader.get("customer-1")["txn_count_7d"] == 8, "switches are noticed again")


def test_hundreds_of_failures_do_not_wear_a_reader_out(mortal: tuple[Shop, int, int]) -> None:
    shop, pid, _ = mortal
    with shop.reader(budget_seconds=0.002) as reader:
        for breaker in reader.lookups.asker.breakers.values():
            breaker.threshold = 1_000_000
        os.kill(pid, signal.SIGSTOP)
        for _ in range(250):
            reader.get("customer-1")
        os.kill(pid, signal.SIGCONT)

        wait_until(lambda: reader.get("customer-1").status is Status.FRESH, "it recovers")


def test_connections_that_the_server_closed_while_idle_cost_no_answer(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    with shop.reader() as reader:
        threads = [threading.Thread(target=reader.get, args=("customer-1",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        shop.client.client_kill_filter(_type="normal", skipme=True)

        answers = [reader.get("customer-1") for _ in range(10)]

    assert [answer.status for answer in answers] == [Status.FRESH] * 10


def test_threads_may_share_a_reader(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    wrong: list[object] = []

    def ask(first: int) -> None:
        for number in range(first, first + 400):
            answer = reader.get(f"customer-{number % 300}")
            if (answer.status, answer["txn_count_30d"]) != (Status.FRESH, number % 300 % 200):
                wrong.append(answer)

    with shop.reader() as reader:
        threads = [threading.Thread(target=ask, args=(41 * number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []


def test_a_forked_process_reads_over_connections_of_its_own_and_follows_switches(shop: Shop) -> None:
    shop.publish(day=YESTERDAY)
    with shop.reader() as reader:
        reader.get("customer-1")
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            served_wrong = sum(reader.get("customer-1")["txn_count_30d"] != 1 for _ in range(300))
            os.write(tell, b"%d " % served_wrong)
            deadline = time.monotonic() + 10
            while reader.get("customer-1").version != 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            os.write(tell, b"%d" % (reader.get("customer-1").version or 0))
            os._exit(0)
        served_wrong = sum(reader.get("customer-2")["txn_count_30d"] != 2 for _ in range(300))
        shop.publish(day=YESTERDAY)
        os.waitpid(child, 0)

    assert served_wrong == 0
    assert os.read(told, 100) == b"0 2"


def test_closing_gives_every_connection_back(server_of_its_own: Shop) -> None:
    shop = server_of_its_own
    shop.publish()
    client = shop.client
    others = connections(client)
    reader = shop.reader()
    reader.get("customer-1")
    wait_until(lambda: len(connections(client) - others) == 3, "there are a pointer, its events and a lookup")
    the_readers = connections(client) - others

    started = time.monotonic()
    reader.close()

    assert time.monotonic() - started < POLL_SECONDS / 2
    wait_until(lambda: not connections(client) & the_readers, "the reader's connections are closed")


def test_a_reader_survives_a_version_being_retired_that_it_no_longer_holds(shop: Shop) -> None:
    shop.publish(mark=1)
    with shop.reader() as reader:
        shop.publish(mark=2)
        wait_until(lambda: reader.get("customer-1").version == 2, "the switch")
        retire(shop.client, shop.keyspace, 1, actor="tester", reason="drill", grace_seconds=0)

        assert reader.get("customer-1")["txn_count_7d"] == 2


def timed(reader: CustomerFeatureStore, customer_id: str) -> tuple[Answer, float]:
    started = time.perf_counter()
    answer = reader.get(customer_id)
    return answer, time.perf_counter() - started


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def words_of(command: bytes) -> list[bytes]:
    """The words of one command in the server's protocol; a digest may hold line ends, so they are counted out."""
    words, rest = [], command.partition(b"\r\n")[2]
    while rest:
        length, _, rest = rest.partition(b"\r\n")
        size = int(length[1:])
        words.append(rest[:size])
        rest = rest[size + 2 :]
    return words


def connections(client: redis.Redis) -> set[str]:
    return {connection["id"] for connection in client.client_list()}


def calls(client: redis.Redis) -> dict[str, int]:
    return {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in client.info("commandstats").items()}


def changes(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    other = {"info", "get", "subscribe", "ping", "client|setinfo"}
    return {
        name: count - before.get(name, 0)
        for name, count in after.items()
        if count != before.get(name, 0) and name not in other
    }


def test_a_store_that_took_anothers_place_is_read_anew_though_its_version_has_the_same_number(
    server: Server, tmp_path: Path
) -> None:
    """After a loss numbers begin again: the manifest at hand may be of another number of buckets, or another day."""
    port = free_port()
    other = Shop(server(), "replaced")
    other.publish(customers=5_000, batches=batches(5_000, mark=2))
    with mortal_server(tmp_path / "lost", port) as lost, proxy(port) as between:
        Shop(f"redis://127.0.0.1:{port}/0", "replaced").publish(mark=1)
        with Shop(f"redis://127.0.0.1:{between.port}/0", "replaced").reader() as reader:
            before = reader.get("customer-1")
            between.target = urlsplit(other.url).port or 0
            lost.kill()
            wait_until(lambda: reader.get("customer-1")["txn_count_7d"] == 2, "the other store's customers are read")
            after = reader.get("customer-4999")

    assert (before.version, before["txn_count_7d"]) == (after.version, 1)
    assert after.status is Status.STALE


def test_no_customer_is_unknown_while_an_empty_store_takes_the_place_of_a_lost_one(tmp_path: Path) -> None:
    port = free_port()
    with mortal_server(tmp_path / "lost", port) as lost:
        shop = Shop(f"redis://127.0.0.1:{port}/0", "lost")
        shop.publish()
        with shop.reader() as reader:
            statuses = {reader.get("customer-1").status}
            lost.kill()
            lost.wait()
            with mortal_server(tmp_path / "empty", port):
                deadline = time.monotonic() + 2.5
                while time.monotonic() < deadline:
                    answer = reader.get("customer-1")
                    statuses.add(answer.status)

    assert statuses == {Status.STALE, Status.UNAVAILABLE}
    assert "nothing was published" in answer.reason
