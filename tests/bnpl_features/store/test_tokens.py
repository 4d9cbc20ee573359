"""Logins by access token: a real server whose user's password is what a token endpoint answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest

from bnpl_features.errors import StoreUnavailable
from bnpl_features.store.address import parse_address
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.connection import connect
from bnpl_features.store.reader import CustomerFeatureStore
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.tokens import GOOGLE, Tokens
from tests.bnpl_features.store.shop import SECRET, Shop, free_port

USER = "machine"


@dataclass
class Endpoint:
    """Answers as Google's metadata server does: only whoever sends its header, and how long the token lasts."""

    token: str = "token-1"
    seconds: float = 3600.0
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    told = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.headers.get("Metadata-Flavor", ""))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"access_token": told.token, "expires_in": told.seconds}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/token"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tokens() -> Iterator[Endpoint]:
    with endpoint() as told:
        yield told


@pytest.fixture
def guarded(shop: Shop, tokens: Endpoint) -> Iterator[str]:
    """The store's address for a user whose password is the endpoint's token."""
    shop.publish()
    shop.client.execute_command("ACL", "SETUSER", USER, "on", "resetpass", f">{tokens.token}", "~*", "&*", "+@all")
    host = shop.url.removeprefix("redis://").partition("/")[0]
    yield f"redis://{USER}@{host}/0?token={quote(tokens.url, safe='')}"
    shop.client.execute_command("ACL", "DELUSER", USER)


def test_a_client_logs_in_with_the_token(guarded: str, tokens: Endpoint) -> None:
    client = connect(guarded)

    assert client.execute_command("ACL", "WHOAMI") == USER.encode()
    assert tokens.asked == ["Google"]


def test_readers_log_in_with_the_token(guarded: str, shop: Shop) -> None:
    options = {"namespace": shop.namespace, "customer_key": SECRET, "budget_seconds": 2.0}
    with CustomerFeatureStore(guarded, **options) as store:
        answered = [store.get("customer-1").status]

    async def read() -> Status:
        async with await AsyncCustomerFeatureStore.open(guarded, **options) as store:
            return (await store.get("customer-1")).status

    assert [*answered, asyncio.run(read())] == [Status.STALE, Status.STALE]  # published of a day long past


def test_a_new_connection_presents_the_token_of_its_time(guarded: str, shop: Shop, tokens: Endpoint) -> None:
    tokens.seconds = 10.0  # about to end: asked for again each time
    connect(guarded)
    tokens.token = "token-2"
    shop.client.execute_command("ACL", "SETUSER", USER, "resetpass", ">token-2")

    assert connect(guarded).execute_command("ACL", "WHOAMI") == USER.encode()


def test_a_token_is_asked_for_once_as_long_as_it_lasts(tokens: Endpoint) -> None:
    source = Tokens(tokens.url)
    threads = [threading.Thread(target=source.current) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert source.current() == "token-1"
    assert len(tokens.asked) == 1


def test_without_an_answer_the_endpoint_is_named(shop: Shop) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/token"

    with pytest.raises(StoreUnavailable, match=f"no access token from {nobody}"):
        connect(f"{shop.url}?token={quote(nobody, safe='')}")


def test_google_stands_for_the_metadata_server() -> None:
    assert parse_address("rediss://host:6379/0?token=google").login.token_url == GOOGLE


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://:password@host/0?token=google", "a password and a token"),
        ("redis://host/0?token=nonsense", "token is google, or the address"),
    ],
)
def test_what_cannot_be_meant_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreUnavailable, match=message):
        parse_address(url)
