"""Connections for lookups from threads: bytes out, replies in, within a deadline.

A connection is opened in a thread of its own, with more time than a lookup has: a slow handshake costs the lookups that
wait for it, not all that come after.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future

from bnpl_features.store.address import Address
from bnpl_features.store.reading.routes import Server
from bnpl_features.store.reading.steps import Ask, Outcome, OverBudget, refused
from bnpl_features.store.wire import Reply, ServerError, greeting, parse

OPEN_SECONDS = 1.0
_CHUNK_BYTES = 1 << 16


class Link:
    """One connection; after a failure it is closed, never used again."""

    __slots__ = ("_socket", "_timeout_seconds")

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._timeout_seconds = opened.gettimeout() or 0.0

    def send(self, payload: bytes, deadline: float) -> None:
        """Raises `OverBudget`, or ConnectionError where the server hung up."""
        self._limit(deadline)
        self._socket.sendall(payload)

    def receive(self, count: int, deadline: float) -> list[Reply]:
        """`count` replies; raises `OverBudget`, or ConnectionError where the server hung up."""
        replies: list[Reply] = []
        rest = b""
        while True:
            self._limit(deadline)
            received = self._socket.recv(_CHUNK_BYTES)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            buffer = rest + received if rest else received
            used = parse(buffer, count - len(replies), replies)
            if len(replies) == count:
                return replies
            rest = buffer[used:]

    def close(self) -> None:
        self._socket.close()

    def _limit(self, deadline: float) -> None:
        """The socket's own timeout becomes what is left, where that is less; setting it is a call to the system."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise OverBudget
        if not 0.95 * self._timeout_seconds < remaining <= 1.05 * self._timeout_seconds:
            self._socket.settimeout(remaining)
            self._timeout_seconds = remaining


class Links:
    """The connections of one process to all servers."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: dict[tuple[Server, bool], deque[Link]] = {}
        self._pid = os.getpid()
        self._closed = False

    def perform(self, asks: tuple[Ask, ...]) -> list[Outcome]:
        """The replies to each, or the exception that came instead; all are sent before any reply is awaited."""
        if len(asks) == 1:
            return [self._perform_one(asks[0])]
        sent = [self._sent(ask) for ask in asks]
        return [
            link if isinstance(link, Exception) else self._received(ask, link)
            for ask, link in zip(asks, sent, strict=True)
        ]

    def open_now(self, server: Server) -> None:
        """Have a connection at hand before the first lookup; raises OSError where none can be had."""
        self._give((server, False), self._open(server, replica=False))

    def close(self) -> None:
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _perform_one(self, ask: Ask) -> Outcome:
        link = self._sent(ask)
        return link if isinstance(link, Exception) else self._received(ask, link)

    def _sent(self, ask: Ask) -> Link | Exception:
        try:
            link = self._take((ask.server, ask.replica), ask.deadline)
        except OSError as error:
            return error
        try:
            link.send(ask.payload, ask.deadline)
        except OSError as error:
            return self._dropped(ask, link, error)
        return link

    def _received(self, ask: Ask, link: Link) -> Outcome:
        try:
            replies = link.receive(ask.replies, ask.deadline)
        except OSError as error:
            return self._dropped(ask, link, error)
        except BaseException:
            link.close()
            raise
        self._give((ask.server, ask.replica), link)
        return replies

    def _dropped(self, ask: Ask, link: Link, error: OSError) -> Exception:
        """What closed one idle connection has closed its neighbours as well."""
        link.close()
        if isinstance(error, ConnectionError):
            idle = self._idle.get((ask.server, ask.replica), ())
            _close_all(idle)
        return OverBudget() if isinstance(error, TimeoutError) else error

    def _take(self, place: tuple[Server, bool], deadline: float) -> Link:
        if self._pid != os.getpid():
            # Connections inherited over a fork would mix up the answers of parent and child.
            self._idle, self._pid = {}, os.getpid()
        try:
            return self._idle[place].pop()
        except LookupError:
            return self._newly_opened(place, deadline)

    def _give(self, place: tuple[Server, bool], link: Link) -> None:
        try:
            self._idle[place].append(link)
        except KeyError:
            self._idle.setdefault(place, deque()).append(link)
        if self._closed:
            _close_all(self._idle[place])

    def _newly_opened(self, place: tuple[Server, bool], deadline: float) -> Link:
        wanted: Future[Link] = Future()

        def fulfil() -> None:
            try:
                link = self._open(*place)
            except Exception as error:
                if wanted.set_running_or_notify_cancel():
                    wanted.set_exception(error)
                return
            if wanted.set_running_or_notify_cancel():
                wanted.set_result(link)
            else:
                self._give(place, link)

        threading.Thread(target=fulfil, name="feature-store-connection", daemon=True).start()
        try:
            return wanted.result(max(deadline - time.monotonic(), 0.0))
        except TimeoutError:
            # Whoever wins this race decides: a connection that comes too late waits for the next lookup.
            if wanted.cancel():
                raise OverBudget from None
            return wanted.result()

    def _open(self, server: Server, replica: bool) -> Link:
        """Raises OSError where the server cannot be reached, or refuses the login."""
        deadline = time.monotonic() + OPEN_SECONDS
        opened = self._connected(server)
        try:
            link = Link(opened)
            words = greeting(self._address, replica=replica)
            if words:
                link.send(b"".join(words), deadline)
                for reply in link.receive(len(words), deadline):
                    if isinstance(reply, ServerError):
                        raise refused(reply)
        except BaseException:
            opened.close()
            raise
        return link

    def _connected(self, server: Server) -> socket.socket:
        if not server.port:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.settimeout(OPEN_SECONDS)
            opened.connect(server.host)
            return opened
        opened = socket.create_connection((server.ip, server.port), OPEN_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._address.tls is None:
            return opened
        try:
            return self._address.tls.wrap_socket(opened, server_hostname=server.host)
        except BaseException:
            opened.close()
            raise


def _close_all(idle: deque[Link] | tuple[()]) -> None:
    while idle:
        try:
            idle.pop().close()
        except IndexError:
            return
