"""Networks that delay, cut, reset and garble; servers with a wrong certificate or too few rights."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from bnpl_features.errors import BnplFeaturesError, StoreUnavailable
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.connection import connect
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.store.publishing.progress import Progress
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookup import Answer, Status
from bnpl_features.store.users import PUBLISHER, rules_of
from tests.bnpl_features.store.shop import REDIS_SERVER, SECRET, Shop, batches, free_port, new_shop, wait_until
from tests.proxy import (
    Proxy,
    Treatment,
    delayed,
    garbled,
    proxy,
    reset,
    swallowed,
    trickled,
    truncated,
    untouched,
)

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
BUDGET_SECONDS = 0.02
SLACK_SECONDS = 0.05
"""What a busy machine may add to a time limit before a test calls it broken."""

TREATMENTS: list[Treatment] = [delayed, trickled, truncated, reset, garbled, swallowed]

Ask = Callable[[str], list[tuple[Answer, float]]]


@pytest.fixture
def between(shop: Shop) -> Iterator[tuple[Shop, Proxy]]:
    """A published shop as seen through a proxy."""
    shop.publish(day=YESTERDAY)
    with proxy(urlsplit(shop.url).port or 0) as standing:
        yield Shop(f"redis://127.0.0.1:{standing.port}/0", shop.namespace), standing


@pytest.mark.parametrize("treat", TREATMENTS, ids=lambda treat: treat.__name__)
def test_a_lookup_over_a_bad_network_is_unavailable_in_time_and_recovers(
    between: tuple[Shop, Proxy], treat: Treatment
) -> None:
    far, standing = between
    with far.reader(budget_seconds=BUDGET_SECONDS) as reader:
        wait_until(lambda: reader.get("customer-1").status is Status.FRESH, "it is warm")
        standing.treat = treat
        bad = [timed(reader) for _ in range(4)]
        batch = reader.get_many([f"customer-{number}" for number in range(50)])
        standing.treat = untouched
        recovered = wait_until(lambda: reader.get("customer-1").status is Status.FRESH, "it recovers")

    assert {answer.status for answer, _ in bad} == {Status.UNAVAILABLE}
    assert {answer.status for answer in batch} == {Status.UNAVAILABLE}
    assert max(seconds for _, seconds in bad) < BUDGET_SECONDS + SLACK_SECONDS
    assert all(answer.reason for answer, _ in bad)
    assert recovered < 5


@pytest.mark.parametrize("treat", TREATMENTS, ids=lambda treat: treat.__name__)
def test_so_is_one_from_asyncio(between: tuple[Shop, Proxy], treat: Treatment) -> None:
    far, standing = between
    options: dict[str, Any] = {"namespace": far.namespace, "customer_key": SECRET, "budget_seconds": BUDGET_SECONDS}

    async def run() -> tuple[list[Answer], float, bool]:
        async with await AsyncCustomerFeatureStore.open(far.url, **options) as reader:
            deadline = time.monotonic() + 10
            while (await reader.get("customer-1")).status is not Status.FRESH:
                assert time.monotonic() < deadline
            standing.treat = treat
            started = time.perf_counter()
            bad = await asyncio.gather(*[reader.get("customer-1") for _ in range(20)])
            seconds = time.perf_counter() - started
            standing.treat = untouched
            while (await reader.get("customer-1")).status is not Status.FRESH:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            return bad, seconds, True

    bad, seconds, recovered = asyncio.run(run())

    # Of many replies that are cut off together, the first ones came whole.
    may_be_whole = {Status.FRESH} if treat is truncated else set()
    assert {answer.status for answer in bad} - may_be_whole == {Status.UNAVAILABLE}
    assert seconds < BUDGET_SECONDS + SLACK_SECONDS
    assert recovered


@pytest.mark.parametrize("treat", [truncated, reset, garbled], ids=lambda treat: treat.__name__)
def test_a_publication_over_a_bad_network_fails_by_name_and_the_active_version_stays(
    between: tuple[Shop, Proxy], shop: Shop, treat: Treatment
) -> None:
    far, standing = between

    def spoil(progress: Progress) -> None:
        if progress.step == "encode":
            standing.treat = treat

    with pytest.raises(BnplFeaturesError) as caught:
        far.publish(mark=2, day=YESTERDAY, report=spoil)

    assert f"127.0.0.1:{standing.port}" in str(caught.value)
    with shop.reader() as reader:
        assert (reader.get("customer-1").version, reader.get("customer-1")["txn_count_7d"]) == (1, 1)
    # Its lease runs out, and what it left is swept.
    shop.client.delete(shop.keyspace.lease)
    assert shop.publish(mark=3, day=YESTERDAY).removed == (2,)


def test_a_slow_network_slows_a_publication_down_and_no_more(between: tuple[Shop, Proxy]) -> None:
    far, standing = between

    def slow(piece: bytes) -> Iterator[bytes | float]:
        yield 0.01
        yield piece

    standing.treat = slow

    published = far.publish(customers=1_000, batches=batches(1_000, mark=2), day=YESTERDAY)

    assert published.manifest.version == 2


# --- encryption ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[tuple[int, Path]]:
    """Debian's Redis with TLS and client certificates required: (port, folder of the certificates)."""
    if REDIS_SERVER is None:
        pytest.skip("redis-server is not installed")
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other-ca.pem"))
    for name in ("server", "client"):
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
    with redis_with_tls(folder) as port:
        yield port, folder


@contextmanager
def redis_with_tls(folder: Path) -> Iterator[int]:
    port = free_port()
    words = [str(REDIS_SERVER), "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", ""]
    words += ["--dir", str(folder), "--tls-ca-cert-file", str(folder / "ca.pem")]
    words += ["--tls-cert-file", str(folder / "server.pem"), "--tls-key-file", str(folder / "server.key")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: accepts(port), "Redis answers")
            yield port
        finally:
            process.terminate()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def encrypted_url(port: int, folder: Path, ca: str = "ca.pem", *, certificate: bool = True) -> str:
    own = f"&ssl_certfile={folder}/client.pem&ssl_keyfile={folder}/client.key" if certificate else ""
    return f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={folder}/{ca}{own}"


def test_an_encrypted_store_is_published_to_and_read_from(encrypted: tuple[int, Path]) -> None:
    port, folder = encrypted
    shop = new_shop(encrypted_url(port, folder))
    shop.publish(day=YESTERDAY)

    async def read() -> list[Answer]:
        options: dict[str, Any] = {"namespace": shop.namespace, "customer_key": SECRET, "budget_seconds": 0.5}
        async with await AsyncCustomerFeatureStore.open(shop.url, **options) as reader:
            return await reader.get_many([f"customer-{number}" for number in range(300)])

    assert shop.reads(300) == {"fresh": 300}
    assert {answer.status for answer in asyncio.run(read())} == {Status.FRESH}


def test_an_encrypted_store_takes_a_user_with_a_password(encrypted: tuple[int, Path]) -> None:
    port, folder = encrypted
    url = encrypted_url(port, folder)
    rules = rules_of(PUBLISHER, Keyspace("with-a-user"))
    connect(url).execute_command("ACL", "SETUSER", "publisher", "on", ">secret", *rules.split())
    shop = Shop(url.replace("rediss://", "rediss://publisher:secret@"), "with-a-user")

    shop.publish(day=YESTERDAY)

    assert shop.reads(300, announce=False) == {"fresh": 300}


def test_a_certificate_of_another_authority_is_refused_by_name(encrypted: tuple[int, Path]) -> None:
    port, folder = encrypted
    url = encrypted_url(port, folder, "other-ca.pem")

    with pytest.raises(StoreUnavailable, match=r"certificate of the store at .* is not trusted.*ssl_ca_certs"):
        CustomerFeatureStore(url, namespace="n", customer_key=SECRET)
    with pytest.raises(StoreUnavailable, match=r"is not trusted"):
        new_shop(url).publish()


def test_a_client_without_its_certificate_is_refused(encrypted: tuple[int, Path]) -> None:
    port, folder = encrypted

    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
        new_shop(encrypted_url(port, folder, certificate=False)).publish()


def test_a_certificate_file_that_is_missing_is_named(encrypted: tuple[int, Path]) -> None:
    port, folder = encrypted

    with pytest.raises(StoreUnavailable, match=r"certificate file.*missing\.pem"):
        CustomerFeatureStore(encrypted_url(port, folder, "missing.pem"), namespace="n", customer_key=SECRET)


# --- users -----------------------------------------------------------------------------------------------------------


def test_a_user_with_too_few_rights_is_told_what_is_forbidden(server_of_its_own: Shop) -> None:
    server_of_its_own.publish(day=YESTERDAY)
    server_of_its_own.client.execute_command(
        "ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@read", "+ping", "+info", "+config|get", "+set"
    )
    url = server_of_its_own.url.replace("redis://", "redis://limited:secret@")

    with pytest.raises(StoreUnavailable, match=r"forbids a command: .*eval.*grant it to this ACL user") as caught:
        Shop(url, server_of_its_own.namespace).publish(day=YESTERDAY)

    assert "secret" not in str(caught.value)
    assert server_of_its_own.active() == 1


def test_a_user_who_may_not_read_is_unavailable_with_the_reason(server_of_its_own: Shop) -> None:
    server_of_its_own.publish(day=YESTERDAY)
    rights = ("+get", "+ping", "+subscribe", "+unsubscribe")
    server_of_its_own.client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "&*", *rights)
    url = server_of_its_own.url.replace("redis://", "redis://reader:secret@")

    with Shop(url, server_of_its_own.namespace).reader() as reader:
        answer = reader.get("customer-1")

    assert answer.status is Status.UNAVAILABLE
    assert "NOPERM" in answer.reason


def test_a_wrong_password_is_refused_at_construction_without_being_shown(server_of_its_own: Shop) -> None:
    server_of_its_own.client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@all")
    url = server_of_its_own.url.replace("redis://", "redis://reader:guessed@")

    with pytest.raises(StoreUnavailable, match="refuses the login") as caught:
        CustomerFeatureStore(url, namespace="n", customer_key=SECRET)

    assert "guessed" not in str(caught.value)


def timed(reader: CustomerFeatureStore) -> tuple[Answer, float]:
    started = time.perf_counter()
    answer = reader.get("customer-1")
    return answer, time.perf_counter() - started
