"""Whatever answers, or does not, at an address is named, with the mend and without the password."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from bnpl_features.errors import BnplFeaturesError, StoreFull, StoreMisconfigured, StoreUnavailable
from bnpl_features.store.connection import borrowed_connection, connect, named_errors, without_password
from tests.bnpl_features.store.shop import Shop, free_port


def test_a_server_that_answers_is_connected_to(any_shop: Shop) -> None:
    client = connect(any_shop.url)

    assert client.echo("hello") == b"hello"


def test_a_closed_port_is_named() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"

    with pytest.raises(StoreUnavailable, match=f"cannot reach the store at {url}.*start it, or correct REDIS_URL"):
        connect(url)


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"cannot reach the store at redis://nowhere\.invalid:6379/0"):
        connect("redis://nowhere.invalid:6379/0")


@pytest.mark.parametrize("greets", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH\r\n"])
def test_a_server_that_is_not_redis_is_told_to_be_none(greets: bytes) -> None:
    with tcp_server(greets) as url, pytest.raises(StoreUnavailable, match=f"answers at {url} is not a Redis server"):
        connect(url)


def test_a_server_that_accepts_and_hangs_is_given_up_in_time() -> None:
    started = time.monotonic()

    with tcp_server(b"") as url, pytest.raises(StoreUnavailable, match=f"{url} did not answer in time.*hung"):
        connect(url, timeout_seconds=0.2)

    assert time.monotonic() - started < 2.0


def test_a_wrong_password_is_told_and_not_shown(shop: Shop) -> None:
    shop.client.execute_command("ACL", "SETUSER", shop.namespace, "on", ">right", "~*", "&*", "+@all")
    url = shop.url.replace("redis://", f"redis://{shop.namespace}:wr0ng-guess@")

    with pytest.raises(StoreUnavailable, match=r"refuses the login.*correct the password in REDIS_URL") as caught:
        connect(url)

    assert "wr0ng-guess" not in str(caught.value)
    assert f"{shop.namespace}:***@127.0.0.1" in str(caught.value)


def test_a_forbidden_command_is_named_with_the_mend(shop: Shop) -> None:
    shop.client.execute_command("ACL", "SETUSER", shop.namespace, "on", ">right", "~*", "&*", "+@all", "-set")
    limited = Shop(shop.url.replace("redis://", f"redis://{shop.namespace}:right@"), shop.namespace)

    with pytest.raises(StoreUnavailable, match=r"forbids a command.*'set'.*grant it to this ACL user"):
        limited.publish()


def test_a_missing_login_is_told(shop: Shop) -> None:
    shop.client.execute_command("ACL", "SETUSER", shop.namespace, "on", ">right", "~*", "&*", "+@all")

    with pytest.raises(StoreUnavailable, match="refuses the login"):
        connect(shop.url.replace("redis://", f"redis://{shop.namespace}:@"))


@pytest.mark.parametrize(
    "url", ["", "localhost:6379", "http://localhost", "redis://host:port/0", "redis://host:99999/0", "redis://[::1"]
)
def test_what_is_not_an_address_is_told(url: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"is not the address of a store.*use redis://host:port/0"):
        connect(url)


def test_named_errors_leaves_other_peoples_errors_alone() -> None:
    with pytest.raises(ZeroDivisionError), named_errors("redis://x"):
        1 / 0  # noqa: B018
    with pytest.raises(OSError, match="disk"), named_errors("redis://x"):
        raise OSError("disk")


@pytest.mark.parametrize(
    ("error", "expected", "says"),
    [
        (redis.BusyLoadingError("loading"), StoreUnavailable, "still loading its data; try again in a moment"),
        (redis.ResponseError("MISCONF"), StoreMisconfigured, "refuses a command that is needed: MISCONF"),
        (redis.ResponseError("OOM command not allowed. script: x"), StoreFull, "reached maxmemory"),
    ],
)
def test_named_errors_names_what_redis_says(
    error: redis.RedisError, expected: type[BnplFeaturesError], says: str
) -> None:
    with pytest.raises(expected, match=f"redis://x.*{says}"), named_errors("redis://x"):
        raise error


def test_a_borrowed_connection_that_failed_is_not_used_again(shop: Shop) -> None:
    client = shop.client
    client.set(shop.keyspace.lease, "x")

    def fail_with_a_reply_on_its_way() -> None:
        with borrowed_connection(client) as connection:
            connection.send_command("GET", shop.keyspace.lease)
            raise RuntimeError("before the reply was read")

    with pytest.raises(RuntimeError):
        fail_with_a_reply_on_its_way()

    assert client.ping() is True


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:p@h:1/0", "redis://:***@h:1/0"),
        ("rediss://me:p%40ss@h/2", "rediss://me:***@h/2"),
    ],
)
def test_without_password_shows_everything_else(url: str, shown: str) -> None:
    assert without_password(url) == shown


@contextmanager
def tcp_server(greets: bytes) -> Iterator[str]:
    """Answers the first bytes of each connection with `greets`, or with silence."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets = []

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            open_sockets.append(near)
            if greets and near.recv(100):
                near.sendall(greets)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for near in open_sockets:
            near.close()
