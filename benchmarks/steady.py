"""A steady rate of requests, each timed from when it was due: a server that stalls cannot hide what it delayed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

CONNECTIONS = 32
GIVE_UP_SECONDS = 5.0
"""After which a request has failed, and its connection is closed."""

_RECONNECT_SECONDS = 0.1
_TURNS_BETWEEN_ANSWERS = 64
"""Requests that are sent in a row, where they are late, before answers are looked at."""


class Exchange(NamedTuple):
    """One request; times are of `time.monotonic`. `status` is 0, and `content` empty, where no answer came."""

    number: int
    due: float
    sent: float
    ended: float
    status: int
    content: bytes


def steady(
    ports: Sequence[int],
    request: Callable[[int], bytes],
    note: Callable[[Exchange], None],
    a_second: int,
    seconds: float,
    started: Callable[[float], None] = lambda at: None,
    connections: int = CONNECTIONS,
) -> None:
    """Send `request(n)`, a whole HTTP request, `a_second` times a second over kept connections to the ports in turn;
    `note` is told of each, `started` when the first is due."""
    import uvloop

    uvloop.run(_Load(ports, request, note).run(a_second, seconds, started, connections))


def post(path: str, content: bytes) -> bytes:
    """A request with JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: b\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class _Load:
    """Requests that are due wait for a connection that is free; there is one a request in flight."""

    def __init__(self, ports: Sequence[int], request: Callable[[int], bytes], note: Callable[[Exchange], None]) -> None:
        self._ports = ports
        self._request = request
        self._note = note
        self._idle: deque[_Connection] = deque()
        self._busy: set[_Connection] = set()
        self._waiting: deque[tuple[int, float]] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._left = 0
        self._is_done = asyncio.Event()

    async def run(self, a_second: int, seconds: float, started: Callable[[float], None], connections: int) -> None:
        count = self._left = round(a_second * seconds)
        await asyncio.gather(*[self._connect(self._ports[n % len(self._ports)]) for n in range(connections)])
        giving_up = asyncio.create_task(self._give_up())
        first = time.monotonic() + 0.05
        started(first)
        for number in range(count):
            due = first + number / a_second
            early = due - time.monotonic()
            if early > 0.0002:
                await asyncio.sleep(early)
            elif number % _TURNS_BETWEEN_ANSWERS == 0:
                await asyncio.sleep(0)
            self._waiting.append((number, due))
            self._send()
        await self._is_done.wait()
        giving_up.cancel()
        for connection in (*self._idle, *self._busy):
            connection.close()

    def _send(self) -> None:
        while self._waiting and self._idle:
            connection = self._idle.popleft()
            number, due = self._waiting.popleft()
            self._busy.add(connection)
            connection.send(number, due, self._request(number))

    def ended(self, connection: _Connection, exchange: Exchange, *, is_open: bool) -> None:
        self._busy.discard(connection)
        self._note(exchange)
        self._left -= 1
        if self._left == 0:
            self._is_done.set()
        if is_open:
            self._idle.append(connection)
            self._send()

    def lost(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        if self._left:
            task = asyncio.create_task(self._connect(connection.port))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, port: int) -> None:
        while True:
            try:
                _, protocol = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self, port), "127.0.0.1", port
                )
            except OSError:
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            self._idle.append(protocol)
            self._send()
            return

    async def _give_up(self) -> None:
        while True:
            await asyncio.sleep(GIVE_UP_SECONDS / 10)
            before = time.monotonic() - GIVE_UP_SECONDS
            for connection in [one for one in self._busy if one.sent < before]:
                connection.close()


class _Connection(asyncio.Protocol):
    """One request at a time, written and read as bytes: a client library would take longer than the server."""

    def __init__(self, load: _Load, port: int) -> None:
        self.port = port
        self.sent = 0.0
        self._load = load
        self._number = -1
        self._due = 0.0
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, number: int, due: float, request: bytes) -> None:
        assert self._transport is not None
        self._number, self._due, self.sent = number, due, time.monotonic()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            self._received = received
            return
        head = received[:head_end].lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(received) < head_end + 4 + length:
            self._received = received
            return
        self._received = b""
        is_open = b"connection: close" not in head
        self._end(int(head[9:12]), received[head_end + 4 :], is_open=is_open)
        if not is_open:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._number >= 0:
            self._end(0, b"", is_open=False)
        self._load.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end(self, status: int, content: bytes, *, is_open: bool) -> None:
        exchange = Exchange(self._number, self._due, self.sent, time.monotonic(), status, content)
        self._number = -1
        self._load.ended(self, exchange, is_open=is_open)
