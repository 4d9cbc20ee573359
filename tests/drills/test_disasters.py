"""Disasters, played and timed: what a runbook says is done here by its commands, and its figures are printed here.

`make drill PYTEST="-k disasters"`. A small lender; what grows with the customers is said in docs/runbooks.
"""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from assets.feature_vectors import VECTORS_TABLE
from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.table import CUSTOMER_COLUMN
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.scoring.keys import new_key
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import customer_batches
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.versions import list_versions
from bnpl_features.streaming.redis_source import RedisProducer
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from tests.bnpl_features.scoring.checkout import body
from tests.bnpl_features.scoring.counter import Counter, running
from tests.bnpl_features.store.shop import free_port, mortal_server, redis_server, wait_until
from tests.bnpl_features.store.test_users import event
from tests.drills.disaster import (
    NAMESPACE,
    YESTERDAY,
    Lender,
    StopWatch,
    asked,
    await_fresh,
    predictions_of,
    simulated,
)

pytestmark = pytest.mark.drill
ONE_DAY = timedelta(days=1)
OLD_KEY, NEW_KEY = "the-key-that-leaked-of-32-characters", "a-new-key-of-more-than-32-characters"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Lender:
    """A lender with purchases; to copy."""
    return simulated(tmp_path_factory.mktemp("prepared"), "redis://127.0.0.1:1/0")


@pytest.fixture
def lender(prepared: Lender, tmp_path: Path) -> Lender:
    """A lender of the drill's own, whose store may be lost: `tmp_path / "store"` holds its data."""
    shutil.copytree(prepared.folder, tmp_path / "lender")
    folder, port = tmp_path / "lender", free_port()
    own = {"BNPL_WAREHOUSE_FOLDER": str(folder / "warehouse"), "DAGSTER_HOME": str(folder / "dagster")}
    return Lender(folder, {**prepared.variables, **own, "REDIS_URL": f"redis://127.0.0.1:{port}/0"})


def port_of(lender: Lender) -> int:
    return int(lender.variables["REDIS_URL"].rpartition(":")[2].partition("/")[0])


def test_the_store_is_lost_entirely(lender: Lender, tmp_path: Path) -> None:
    port, watch = port_of(lender), StopWatch("Redis lost entirely")
    with mortal_server(tmp_path / "store", port) as server:
        lender.publish_day()
        known, erased_before, erased_after = lender.customers()[:3]
        RedisProducer(lender.shop.client, lender.shop.keyspace.purchases, "velocity").append([event(known)])
        lender.run("stream", "work", "--until-idle")
        lender.run("erase", erased_before, "--reason", "request 1")
        copy = tmp_path / "erasures.json"
        copy.write_text(lender.run("erasures", "--json"))
        lender.run("erase", erased_after, "--reason", "request 2")
        with running(tmp_path / "counter", lender.shop.url, NAMESPACE) as counter, asked(counter, known) as seen:
            wait_until(lambda: seen.statuses()["fresh"] > 10, "callers get features")
            server.kill()
            server.wait()
            shutil.rmtree(tmp_path / "store")
            lost_at = time.monotonic()
            time.sleep(2.0)  # until somebody begins
            watch.start()
            with mortal_server(tmp_path / "new", port):
                lender.run("erasures", "--restore", str(copy))
                watch.lap("an empty server, and tombstones from the copy")
                lender.publish_day()
                watch.lap("the day run again: computed, checked, published")
                await_fresh(counter, known)
                watch.lap("from the switch until predictions are fresh")
                lender.run("stream", "rebuild")
                watch.lap("velocity rebuilt")
                with lender.shop.reader() as reader:
                    found = [reader.get(one).status for one in (known, erased_before, erased_after)]
            time.sleep(0.2)
        outage = seen.longest_without("fresh")
    watch.note("predictions without features", f"{outage:.1f} s, all of them answered by transaction_only")
    watch.note("predictions that failed", f"{seen.failed} of {len(seen.seen):,}")
    watch.note("lost", "audit trail; tombstones since the copy (1 of 2 here); experiments, unless in a file")
    watch.told()

    assert seen.failed == 0
    assert set(seen.statuses(since=lost_at)) <= {"unavailable", "fresh"}
    assert found == [Status.FRESH, Status.UNKNOWN_CUSTOMER, Status.FRESH]


def test_the_warehouse_is_out_of_reach_for_a_day(lender: Lender, tmp_path: Path) -> None:
    """A day that is stale at any hour is served; yesterday's run finds no warehouse."""
    watch = StopWatch("Warehouse unreachable for a day")
    away = lender.folder / "away"
    with mortal_server(tmp_path / "store", port_of(lender)):
        lender.publish_day(YESTERDAY - 2 * ONE_DAY)
        known = lender.customers(YESTERDAY - 2 * ONE_DAY)[0]
        lender.warehouse.rename(away)
        lender.warehouse.touch()  # a folder that is not there would be made
        with running(tmp_path / "counter", lender.shop.url, NAMESPACE) as counter, asked(counter, known) as seen:
            watch.start()
            said = lender.run("run", "--partition", YESTERDAY.isoformat(), code=5)
            watch.lap("until the run gave up, having tried again twice")
            before = lender.shop.active()
            lender.warehouse.unlink()
            away.rename(lender.warehouse)
            began = time.monotonic()
            lender.publish_day()
            watch.lap("once it is back: the day run")
            await_fresh(counter, known)
            time.sleep(0.2)
        stale = seen.statuses()
    watch.note("predictions meanwhile", dict(stale))
    watch.note("predictions that failed", f"{seen.failed} of {len(seen.seen):,}")
    watch.note("lost", "nothing: the day is computed from the purchases as they are by then")
    watch.told()

    assert "warehouse" in said
    assert before == 1
    assert seen.failed == 0
    assert "fresh" not in {reply.json["feature_status"] for at, reply in seen.seen if at < began}


def test_a_bad_version_is_live(lender: Lender, tmp_path: Path) -> None:
    """A version whose amounts are a hundred times too large, which no check saw, answers until somebody rolls back."""
    watch = StopWatch("A bad version live for an hour")
    with mortal_server(tmp_path / "store", port_of(lender)):
        lender.publish_day()
        known = lender.customers()[0]
        with running(tmp_path / "counter", lender.shop.url, NAMESPACE) as counter, asked(counter, known) as seen:
            await_fresh(counter, known)
            bad = publish_wrong_amounts(lender)
            wait_until(lambda: seen.last(feature_version=bad) > 0, "the bad version answers")
            time.sleep(3.0)  # in life an hour: at 1,700 predictions a second six million
            watch.start()
            started = time.monotonic()
            lender.run("rollback", "--reason", "amounts a hundred times too large")
            watch.lap("the command")
            wait_until(lambda: seen.last(feature_version=1) > seen.last(feature_version=bad), "the good one answers")
            time.sleep(2.0)
            last_bad = seen.last(feature_version=bad)
            assert counter.stop() == 0
            answered = {r.json["request_id"] for _, r in seen.seen if r.json.get("feature_version") == bad}
            logged = {one["request_id"] for one in predictions_of(counter, bad)}
            watch.note("from the command to the last bad answer", f"{max(last_bad - started, 0.0):.1f} s")
        watch.note("predictions by the bad version", f"{len(answered)}, all found in the log by feature_version")
        lender.publish_day()
        watch.lap("the cause mended, the day run again")
    watch.told()

    assert last_bad - started < 10.0
    assert len(answered) > 20
    assert answered == logged


def publish_wrong_amounts(lender: Lender) -> int:
    layout = layout_of(BEHAVIOURAL)
    warehouse = DuckDBWarehouse(lender.warehouse)
    vectors = warehouse.read_partition(VECTORS_TABLE, YESTERDAY, (CUSTOMER_COLUMN, *layout.names), {})
    batches = list(customer_batches(vectors, layout))
    for batch in batches:
        for name in [one for one in batch.columns if one.startswith("amount")]:
            batch.columns[name] = batch.columns[name] * 100.0
    customers = sum(len(batch.customer_ids) for batch in batches)
    published = publish(
        lender.shop.target,
        layout,
        batches,
        partition=YESTERDAY,
        customers=customers,
        provenance=Provenance(actor="bug"),
    )
    return published.manifest.version


def test_an_api_key_leaks(lender: Lender, tmp_path: Path) -> None:
    watch, keys = StopWatch("API key leaked"), tmp_path / "keys.txt"
    (leaked, leaked_line), (new, new_line) = new_key("checkout-web"), new_key("checkout-web-2")
    keys.write_text(f"{leaked_line}\n")
    with mortal_server(tmp_path / "store", port_of(lender)):
        lender.shop.publish(50, YESTERDAY)
        with running(tmp_path / "counter", lender.shop.url, NAMESPACE, keys_file=keys) as counter:
            watch.start()
            keys.write_text(f"{leaked_line}\n{new_line}\n")
            wait_until(lambda: status_with(counter, new) == 200, "the new key is known")
            watch.lap("from the new line until the new key is taken")
            with asked(counter, "customer-1", authorization=f"Bearer {new}") as seen:
                keys.write_text(f"{new_line}\n")
                wait_until(lambda: status_with(counter, leaked) == 401, "the leaked key is refused")
                watch.lap("from the removed line until the leaked key is refused")
                time.sleep(0.5)
    watch.note("requests of the caller with the new key that failed", f"{seen.failed} of {len(seen.seen)}")
    watch.told()

    assert seen.failed == 0


def status_with(counter: Counter, key: str) -> int:
    return counter.ask("/v1/score", body(), authorization=f"Bearer {key}").status


def test_the_customer_key_leaks(lender: Lender, tmp_path: Path) -> None:
    """Whoever has the key and the store's data can look customers up: data under the old key has to go."""
    watch = StopWatch("Customer key leaked")
    lender = lender.having(BNPL_CUSTOMER_KEY=OLD_KEY)
    with mortal_server(tmp_path / "store", port_of(lender)):
        lender.publish_day()
        known, gone = lender.customers()[:2]
        lender.run("erase", gone, "--reason", "request 1")
        keys = {"BNPL_CUSTOMER_KEY": NEW_KEY, "BNPL_PREVIOUS_CUSTOMER_KEYS": OLD_KEY}
        rotated = lender.having(**keys)
        watch.start()
        service = running(tmp_path / "counter", lender.shop.url, NAMESPACE, variables=keys)
        with service as counter, asked(counter, known) as seen:
            await_fresh(counter, known)
            watch.lap("readers restarted with both keys")
            rotated.publish_day()
            watch.lap("the day run with both keys")
            await_fresh(counter, known)
            rotated.run("retire", "1", "--grace-seconds", "0", "--reason", "its key leaked")
            watch.lap("the version of the old key retired")
            time.sleep(0.3)
        left = [version.number for version in list_versions(lender.shop.client, lender.shop.keyspace)]
        with lender.shop.reader(customer_key=NEW_KEY.encode()) as reader:
            statuses = [reader.get(one).status for one in (known, gone)]
    watch.note("predictions that failed, or had no features", f"{seen.failed}, {seen.statuses()['unavailable']}")
    watch.told()

    assert seen.failed == 0
    assert set(seen.statuses()) == {"fresh"}
    assert statuses == [Status.FRESH, Status.UNKNOWN_CUSTOMER]
    assert left == [2]


def test_a_redis_password_leaks(lender: Lender, tmp_path: Path) -> None:
    watch, passwords, file = StopWatch("Redis password leaked"), tmp_path / "passwords", tmp_path / "users.acl"

    def load() -> None:
        printed = lender.run("store-users", "--passwords", str(passwords), "--make")
        file.write_text(printed)

    load()
    administrator_password = (passwords / "administrator").read_text().strip()
    with redis_server(tmp_path, "--aclfile", str(file), password=administrator_password) as url:
        administrator = redis.Redis.from_url(url)
        host = url.rpartition("@")[2]
        leaked = (passwords / "reader").read_text().strip()
        publisher = (passwords / "publisher").read_text().strip()
        lender.having(REDIS_URL=f"redis://publisher:{publisher}@{host}").shop.publish(50, YESTERDAY)
        with running(tmp_path / "old", f"redis://reader:{leaked}@{host}", NAMESPACE) as first:
            await_fresh(first, "customer-1")
            watch.start()
            (passwords / "reader").write_text(f"{leaked}\nthe-new-password\n")
            load()
            administrator.execute_command("ACL", "LOAD")
            watch.lap("both passwords valid")
            with running(tmp_path / "new", f"redis://reader:the-new-password@{host}", NAMESPACE) as second:
                await_fresh(second, "customer-1")
                watch.lap("a service with the new password answers")
                with asked(second, "customer-1") as seen:
                    assert first.stop() == 0
                    (passwords / "reader").write_text("the-new-password\n")
                    load()
                    administrator.execute_command("ACL", "LOAD")
                    watch.lap("the leaked one is refused, and what was connected with it is cut off")
                    with pytest.raises(redis.AuthenticationError):
                        redis.Redis.from_url(f"redis://reader:{leaked}@{host}").ping()
                    time.sleep(1.0)
                unavailable = seen.statuses()["unavailable"]
    watch.note("predictions that failed, or had no features for a moment", f"{seen.failed}, {unavailable}")
    watch.told()

    assert seen.failed == 0


def test_dagsters_database_is_lost(lender: Lender, tmp_path: Path) -> None:
    """The gate asks the event log: without it nothing is published that was not checked again."""
    watch = StopWatch("Dagster database lost")
    with mortal_server(tmp_path / "store", port_of(lender)):
        lender.publish_day()
        known = lender.customers()[0]
        with running(tmp_path / "counter", lender.shop.url, NAMESPACE) as counter, asked(counter, known) as seen:
            await_fresh(counter, known)
            shutil.rmtree(lender.folder / "dagster")
            watch.start()
            refused = lender.publish_alone(code=5)
            watch.lap("a publication alone is refused")
            lender.publish_day()
            watch.lap("the day run again, on an empty database")
            time.sleep(0.3)
        manifest = lender.shop.active()
    watch.note("predictions that failed, or had no features", f"{seen.failed}, {seen.statuses()['unavailable']}")
    watch.note("lost", "history of runs and checks; what sensors remember: cool-down of retraining, alerts sent")
    watch.told()

    assert "gating checks do not allow it" in refused
    assert manifest == 2
    assert seen.failed == 0
    assert set(seen.statuses()) == {"fresh"}
