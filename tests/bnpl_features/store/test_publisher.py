"""A publication changes what is served in its last step only, whatever happens before."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpl_features.errors import (
    BnplFeaturesError,
    PublicationRefused,
    StoreFull,
    StoreMisconfigured,
    StoreUnavailable,
    VerificationFailed,
)
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.publishing.progress import Progress
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.target import Target
from bnpl_features.store.versions import (
    State,
    active_version,
    allocate,
    audit_trail,
    list_versions,
    manifest_of,
)
from tests.bnpl_features.store.conftest import Server
from tests.bnpl_features.store.shop import DAY, LAYOUT, Shop, batches, new_shop, wait_until

ROOT = Path(__file__).parents[3]


def test_a_publication_is_served_once_it_has_ended(any_shop: Shop) -> None:
    publication = any_shop.publish(customers=300, mark=7)

    with any_shop.reader(stale_after=timedelta(days=100_000)) as reader:
        answer = reader.get("customer-42")
    assert publication.previous is None
    assert answer.status is Status.FRESH
    assert (answer["txn_count_7d"], answer["txn_count_30d"], answer.version) == (7, 42, 1)


def test_every_customer_of_a_partition_is_served(any_shop: Shop) -> None:
    any_shop.publish(customers=3_000)

    with any_shop.reader(stale_after=timedelta(days=100_000)) as reader:
        found = reader.get_many([f"customer-{number}" for number in range(3_000)])
    assert [answer["txn_count_30d"] for answer in found] == [number % 200 for number in range(3_000)]
    assert {answer.status for answer in found} == {Status.FRESH}


def test_the_version_before_is_retained_and_counts_as_previous(any_shop: Shop) -> None:
    any_shop.publish()

    second = any_shop.publish(day=DAY + timedelta(days=1))

    states = {version.number: version.state for version in list_versions(any_shop.client, any_shop.keyspace)}
    assert second.previous == 1
    assert states == {2: State.ACTIVE, 1: State.RETAINED}


def test_the_manifest_tells_what_was_published(shop: Shop) -> None:
    publication = shop.publish(customers=130)

    manifest = manifest_of(shop.client, shop.keyspace, 1)
    assert manifest == publication.manifest
    assert (manifest.customers, manifest.buckets, manifest.partition_date) == (130, 3, DAY)
    assert manifest.provenance.run_id == "run-1"


def test_no_served_key_expires_and_every_bucket_is_a_listpack(any_shop: Shop) -> None:
    any_shop.publish(customers=2_000)

    keys = any_shop.bucket_keys(1)
    assert len(keys) == 32
    assert {any_shop.client.ttl(key) for key in keys} == {-1}
    assert {any_shop.client.object("encoding", key) for key in keys} == {b"listpack"}


def test_saturated_values_are_counted_by_feature(shop: Shop) -> None:
    batch = next(batches(50))
    batch.columns["txn_count_30d"][:3] = [255.0, 1_000.0, 254.0]

    publication = shop.publish(customers=50, batches=[batch])

    assert publication.manifest.saturated == {"txn_count_30d": 2}


def test_the_audit_names_who_did_what_and_why(shop: Shop) -> None:
    shop.publish()
    shop.publish()

    newest, oldest = audit_trail(shop.client, shop.keyspace)
    assert (newest.act, newest.version, newest.previous, newest.actor) == ("activate", 2, "1", "tester")
    assert newest.reason == f"partition {DAY}"
    assert (oldest.act, oldest.version, oldest.previous) == ("activate", 1, "")
    assert abs(newest.at - time.time()) < 5


def test_the_same_partition_may_be_published_again(shop: Shop) -> None:
    shop.publish(mark=1)

    shop.publish(mark=2)

    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 2


def test_an_older_partition_is_refused_and_the_newer_named(shop: Shop) -> None:
    shop.publish(day=DAY)

    with pytest.raises(PublicationRefused, match=r"2024-02-29 is older than 2024-03-01.*roll back by name"):
        shop.publish(day=DAY - timedelta(days=1))

    assert shop.active() == 1


def test_an_empty_partition_is_refused(shop: Shop) -> None:
    with pytest.raises(PublicationRefused, match=r"2024-03-01 has no customers; see why"):
        shop.publish(customers=0)

    assert shop.active() is None


@pytest.mark.parametrize("handed_over", [0, 299, 301])
def test_other_than_the_counted_customers_are_refused_before_a_bucket_is_written(shop: Shop, handed_over: int) -> None:
    shop.publish()

    with pytest.raises(VerificationFailed, match=f"counted 300 customers.*handed over {handed_over};.*publish again"):
        shop.publish(customers=300, batches=batches(handed_over))

    assert_untouched(shop, active=1)


def test_a_customer_who_appears_twice_is_refused(shop: Shop) -> None:
    shop.publish()
    twice = [next(batches(100)), next(batches(1))]

    with pytest.raises(PublicationRefused, match=r"1 records share.*a customer appears twice.*uniqueness check"):
        shop.publish(customers=101, batches=twice)

    assert_untouched(shop, active=1)


def test_an_empty_batch_among_others_changes_nothing(shop: Shop) -> None:
    empty = CustomerBatch([], {name: np.array([]) for name in LAYOUT.names})

    publication = shop.publish(customers=20, batches=[empty, *batches(20), empty])

    assert publication.manifest.customers == 20


def test_an_error_of_the_warehouse_passes_through_as_it_is(shop: Shop) -> None:
    shop.publish()

    def broken() -> Iterator[CustomerBatch]:
        yield from batches(100)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as caught:
        shop.publish(batches=broken())

    assert not isinstance(caught.value, BnplFeaturesError)
    assert_untouched(shop, active=1)


def test_a_failed_publication_stands_in_the_audit_with_its_reason(shop: Shop) -> None:
    with pytest.raises(VerificationFailed):
        shop.publish(customers=300, batches=batches(299))

    (entry,) = audit_trail(shop.client, shop.keyspace)
    assert (entry.act, entry.version, entry.actor) == ("fail", 1, "publisher")
    assert "handed over 299" in entry.reason


def test_raw_customer_ids_are_nowhere_in_the_server(shop: Shop) -> None:
    shop.publish(customers=500, batches=batches(500, prefix="zebra"))
    with pytest.raises(PublicationRefused):
        shop.publish(customers=101, batches=[next(batches(100, prefix="zebra")), next(batches(1, prefix="zebra"))])

    held = everything(shop)

    assert len(held) > 500 * 56
    assert b"zebra" not in held


# --- two publishers --------------------------------------------------------------------------------------------------


def test_a_second_publisher_waits_for_the_first_and_then_publishes(shop: Shop) -> None:
    staging, go_on = threading.Event(), threading.Event()

    def hold(progress: Progress) -> None:
        staging.set()
        go_on.wait(10)

    first = threading.Thread(target=shop.publish, kwargs={"mark": 1, "report": hold})
    second = threading.Thread(target=shop.publish, kwargs={"mark": 2})
    first.start()
    staging.wait(10)
    second.start()
    time.sleep(0.7)
    numbers_while_first_works = [version.number for version in list_versions(shop.client, shop.keyspace)]
    go_on.set()
    first.join(20)
    second.join(20)

    assert numbers_while_first_works == [1]
    assert shop.active() == 2
    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 2


def test_a_publisher_whose_pointer_was_moved_is_refused_and_leaves_nothing(shop: Shop) -> None:
    shop.publish()

    def usurp(progress: Progress) -> None:
        # Another publication, past the lease: the compare-and-set of the activation must hold on its own.
        if progress.step == "stage and verify" and shop.active() == 1:
            shop.client.set(shop.keyspace.active, 99)

    with pytest.raises(PublicationRefused, match=r"version 99 is active, not 1.*nothing was changed"):
        shop.publish(report=usurp)

    assert shop.active() == 99
    assert shop.bucket_keys(2) == []


def test_a_publisher_that_lost_its_lease_does_not_activate(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnpl_features.store.publishing.lease.LEASE_SECONDS", 0.3)
    shop.publish()

    def stolen(progress: Progress) -> None:
        shop.client.set(shop.keyspace.lease, "another token")
        time.sleep(0.3)

    with pytest.raises(PublicationRefused, match=r"lease was lost.*run again"):
        shop.publish(customers=100, report=stolen)

    assert shop.active() == 1
    assert shop.client.get(shop.keyspace.lease) == b"another token"


# --- publishers that die ---------------------------------------------------------------------------------------------

PUBLISHER = """
import sys, time
from bnpl_features.store import publisher
from bnpl_features.store.publishing import closing, lease
from tests.bnpl_features.store.shop import Shop

lease.LEASE_SECONDS = 0.6
url, namespace, moment = sys.argv[1:]

def sleep():
    print("now", flush=True)
    time.sleep(60)

def report(progress):
    if progress.step == moment:
        sleep()

def then_sleep(module, name):
    work = getattr(module, name)
    def working(*given, **more):
        work(*given, **more)
        sleep()
    setattr(module, name, working)

if moment in ("await_replicas", "mark"):
    then_sleep(closing, moment)
if moment == "activate":
    then_sleep(publisher, moment)
Shop(url, namespace).publish(customers=2_000, mark=9, report=report)
"""


@pytest.mark.parametrize(
    ("moment", "expires"),
    [("encode", None), ("stage and verify", True), ("await_replicas", False), ("mark", False)],
)
def test_publisher_killed_leaves_the_active_version_readable_and_the_next_one_sweeps(
    shop: Shop, moment: str, expires: bool | None
) -> None:
    shop.publish(mark=1)

    kill_publisher(shop, moment)

    left_behind = shop.bucket_keys(2)
    if expires is None:
        assert left_behind == []
    else:
        assert len(left_behind) == 32
        assert all((0 < shop.client.ttl(key) <= 3_600) is expires for key in left_behind)
    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 1
    publication = shop.publish(mark=3)
    assert publication.removed == (2,)
    assert shop.bucket_keys(2) == []
    assert shop.active() == publication.manifest.version == 3


def test_publisher_killed_after_the_switch_has_published(shop: Shop) -> None:
    shop.publish(mark=1)

    kill_publisher(shop, "activate")

    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 9
    assert shop.publish(mark=3).previous == 2


def kill_publisher(shop: Shop, moment: str) -> None:
    """Run a publication in a process of its own and kill it at `moment`, then wait for its lease to run out."""
    words = [sys.executable, "-c", PUBLISHER, shop.url, shop.namespace, moment]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdout.readline() == b"now\n"
        publisher.send_signal(signal.SIGKILL)
    wait_until(lambda: not shop.client.exists(shop.keyspace.lease), "the dead publisher's lease runs out")


# --- servers that fail -----------------------------------------------------------------------------------------------


def test_too_little_memory_is_told_before_a_byte_is_written(server: Server) -> None:
    full = new_shop(server("--maxmemory", "20mb"))
    full.publish()
    keys_before = full.client.dbsize()

    with pytest.raises(StoreFull, match=r"needs about \d+ MiB.*of 20 MiB maxmemory;.*retire.*or raise.*Nothing was"):
        full.publish(customers=1_000_000)

    assert full.client.dbsize() == keys_before
    assert_untouched(full, active=1)


def test_memory_that_runs_out_while_staging_fails_cleanly(server: Server) -> None:
    filling = new_shop(server("--maxmemory", "100mb"))
    filling.publish()

    def shrink(progress: Progress) -> None:
        if progress.step == "encode" and progress.done == progress.total:
            used = int(filling.client.info("memory")["used_memory"])
            filling.client.config_set("maxmemory", used + 500_000)

    with pytest.raises(StoreFull, match=r"reached maxmemory.*retire.*or raise maxmemory"):
        filling.publish(customers=30_000, batches=batches(30_000, size=10_000), report=shrink)

    assert_untouched(filling, active=1)
    (newest, *_) = audit_trail(filling.client, filling.keyspace)
    assert (newest.act, newest.version) == ("fail", 2)
    filling.client.config_set("maxmemory", "100mb")
    assert filling.publish(mark=5).previous == 1


def test_a_read_only_replica_is_told_to_be_one(valkey: str, server: Server) -> None:
    primary = new_shop(valkey)
    primary.publish()
    port = valkey.rsplit(":", 1)[1].partition("/")[0]
    replica = Shop(server("--replicaof", f"127.0.0.1 {port}"), primary.namespace)
    wait_until(lambda: in_sync(replica), "the replica is in sync")

    with pytest.raises(StoreUnavailable, match=f"{address(replica)} is a read-only replica; point REDIS_URL at"):
        replica.publish()

    assert_untouched(primary, active=1)


def in_sync(replica: Shop) -> bool:
    try:
        return replica.active() == 1
    except StoreUnavailable:  # it is loading what the primary sent
        return False


def test_short_listpacks_are_refused_with_the_settings_name(server: Server) -> None:
    wasteful = new_shop(server("--hash-max-listpack-value", "32"))

    with pytest.raises(StoreMisconfigured, match=r"hash-max-listpack-value 32, but 55 .* CONFIG SET hash-max-.* 55"):
        wasteful.publish()

    assert wasteful.bucket_keys(1) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_policy_that_may_evict_the_active_version_is_refused(server: Server, policy: str) -> None:
    evicting = new_shop(server("--maxmemory-policy", policy))

    with pytest.raises(StoreMisconfigured, match=f"maxmemory-policy {policy}.*CONFIG SET maxmemory-policy noeviction"):
        evicting.publish()

    assert evicting.active() is None


def test_hidden_settings_are_found_out_by_the_encoding_of_a_bucket(server: Server) -> None:
    wasteful = new_shop(server("--hash-max-listpack-value", "32"))
    wasteful.client.execute_command("ACL", "SETUSER", "managed", "on", ">word", "~*", "&*", "+@all", "-config")
    managed = Shop(wasteful.url.replace("redis://", "redis://managed:word@"), wasteful.namespace)

    with pytest.raises(StoreMisconfigured, match=r"stored as hashtable, not as a listpack.*hash-max-listpack-value"):
        managed.publish()

    assert wasteful.active() is None
    assert wasteful.bucket_keys(1) == []


@pytest.mark.parametrize("theirs", ["a hash", "a string"])
def test_somebody_elses_data_in_a_bucket_stops_the_publication(shop: Shop, theirs: str) -> None:
    shop.publish()
    bucket = shop.keyspace.bucket(2, 0)
    if theirs == "a hash":
        shop.client.hset(bucket, "theirs", "data")
    else:
        shop.client.set(bucket, "data")

    with pytest.raises(VerificationFailed, match=bucket.decode()):
        shop.publish()

    assert shop.active() == 1
    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 1


def test_buckets_that_vanish_while_staging_stop_the_publication(shop: Shop) -> None:
    shop.publish()

    def evict(progress: Progress) -> None:
        if progress.step == "stage and verify":
            shop.client.delete(*shop.bucket_keys(2)[:3])

    with pytest.raises(VerificationFailed, match=r"publish again"):
        shop.publish(customers=3_000, batches=batches(3_000), report=evict)

    assert_untouched(shop, active=1)


def test_a_store_that_dies_while_staging_is_unavailable(server: Server) -> None:
    url = server()
    dying = new_shop(url)
    dying.publish()
    pid = int(dying.client.info("server")["process_id"])

    def kill(progress: Progress) -> None:
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(StoreUnavailable, match=f"the store at redis://{address(dying)}"):
        dying.publish(report=kill)


def test_an_activation_whose_reply_was_lost_has_still_published(shop: Shop) -> None:
    shop.publish(mark=1)
    with losing_replies(shop.url, after=b"EVAL", to=shop.keyspace.events.encode()) as url:
        lossy = Shop(url, shop.namespace)

        publication = lossy.publish(mark=2)

    assert publication.previous == 1
    assert shop.active() == publication.manifest.version
    states = {version.number: version.state for version in list_versions(shop.client, shop.keyspace)}
    assert states == {2: State.ACTIVE, 1: State.RETAINED}


def test_a_version_allocated_and_abandoned_is_swept(shop: Shop) -> None:
    shop.publish()
    allocate(shop.client, shop.keyspace, buckets=10, key_check="")

    publication = shop.publish()

    assert publication.removed == (2,)


def test_another_customer_key_may_take_over(shop: Shop) -> None:
    shop.publish()
    target = Target(shop.client, shop.keyspace, CustomerKey(b"another"))
    given: dict[str, Any] = {"partition": DAY, "customers": 10, "provenance": manifest_of_active(shop).provenance}

    publish(target, LAYOUT, batches(10, mark=6), **given)

    with shop.reader(customer_key=b"another") as reader:
        assert reader.get("customer-1")["txn_count_7d"] == 6


def manifest_of_active(shop: Shop) -> Any:
    number = active_version(shop.client, shop.keyspace)
    assert number is not None
    return manifest_of(shop.client, shop.keyspace, number)


def assert_untouched(shop: Shop, active: int) -> None:
    """The active version is served, and no bucket of any other exists."""
    assert shop.active() == active
    with shop.reader() as reader:
        assert reader.get("customer-1")["txn_count_30d"] == 1
    buckets = set(shop.client.scan_iter(f"{shop.namespace}:b:*", count=10_000))
    assert buckets == set(shop.bucket_keys(active))
    assert {version.number for version in list_versions(shop.client, shop.keyspace)} == {active}


def everything(shop: Shop) -> bytes:
    """Every key of the namespace with its value, as stored."""
    parts: list[bytes] = []
    for key in shop.client.scan_iter(f"*{shop.namespace}*", count=1_000):
        parts.append(key)
        kind = shop.client.type(key)
        if kind == b"hash":
            parts += [part for pair in shop.client.hgetall(key).items() for part in pair]
        elif kind == b"string":
            parts.append(shop.client.get(key))
        elif kind == b"zset":
            parts += shop.client.zrange(key, 0, -1)
        elif kind == b"stream":
            parts.append(repr(shop.client.xrange(key)).encode())
        else:
            pytest.fail(f"a key of an unexpected type: {key!r} {kind!r}")
    return b"\n".join(parts)


def address(shop: Shop) -> str:
    return shop.url.rpartition("/")[0].replace("redis://", "")


@contextmanager
def losing_replies(url: str, *, after: bytes, to: bytes) -> Iterator[str]:
    """A proxy of the store at `url` that closes the connection, instead of the reply, on one command.

    The command is the first that holds both words.
    """
    host, _, port = url.removeprefix("redis://").partition("/")[0].partition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    lost = threading.Event()

    def serve(near: socket.socket) -> None:
        far = socket.create_connection((host, int(port)))
        swallow = threading.Event()

        def back() -> None:
            try:
                while reply := far.recv(1 << 16):
                    if swallow.is_set():
                        lost.set()
                        break
                    near.sendall(reply)
            except OSError:
                pass
            near.shutdown(socket.SHUT_RDWR)
            far.close()

        threading.Thread(target=back, daemon=True).start()
        try:
            while request := near.recv(1 << 16):
                if after in request and to in request and not lost.is_set():
                    swallow.set()
                far.sendall(request)
        except OSError:
            pass

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(near,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        assert lost.is_set()
    finally:
        listener.close()
