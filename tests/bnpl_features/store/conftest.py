"""Fixtures with real servers: Valkey from the embedded store and Debian's Redis, a namespace a test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bnpl_features.store.embedded import embedded_store
from tests.bnpl_features.store.shop import Shop, free_port, mortal_server, new_shop, redis_server

Server = Callable[..., str]


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Valkey server that most tests share."""
    with embedded_store(tmp_path_factory.mktemp("valkey"), "--repl-diskless-sync-delay", "0") as url:
        yield url


@pytest.fixture(scope="session")
def debian_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def shop(valkey: str) -> Shop:
    """A namespace of the test's own."""
    return new_shop(valkey)


@pytest.fixture(params=["valkey", "debian_redis"])
def any_shop(request: pytest.FixtureRequest) -> Shop:
    """The contract of publication and reading holds on each kind of server."""
    return new_shop(request.getfixturevalue(request.param))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Starts servers of the test's own, with options: `server("--maxmemory", "20mb")`."""
    with ExitStack() as stack:

        def start(*options: str) -> str:
            folder = tmp_path / f"server-{secrets.token_hex(4)}"
            return stack.enter_context(embedded_store(folder, *options))

        yield start


@pytest.fixture
def server_of_its_own(server: Server) -> Shop:
    """A namespace alone on its server, where commands and connections can be counted."""
    return new_shop(server())


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[tuple[Shop, int, int]]:
    """A namespace with a published version on a server that may be stopped and killed: (shop, process, port)."""
    port = free_port()
    with mortal_server(tmp_path / "mortal", port) as process:
        shop = new_shop(f"redis://127.0.0.1:{port}/0")
        shop.publish(day=datetime.now(UTC).date() - timedelta(days=1))
        yield shop, process.pid, port
