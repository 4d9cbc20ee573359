"""A TCP proxy that does to a connection what networks do: delays, cuts, resets, garbles."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Treatment = Callable[[bytes], Iterator[bytes | float]]
"""What becomes of a piece that the server sent: pieces to pass on, and seconds to wait; Cut or Reset ends it."""


class Cut(Exception):
    """The connection is closed."""


class Reset(Exception):
    """The connection is reset."""


class Proxy:
    """Stands before a server; `treat` may be changed at any time."""

    def __init__(self, port: int) -> None:
        self.treat: Treatment = untouched
        self.target = port
        """May be changed; connections that there are stay where they are."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=_pass_on, args=(near, far), daemon=True).start()
            threading.Thread(target=self._pass_back, args=(far, near), daemon=True).start()

    def _pass_back(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            try:
                while piece := far.recv(1 << 16):
                    for part in self.treat(piece):
                        if isinstance(part, float):
                            time.sleep(part)
                        else:
                            near.sendall(part)
            except Cut:
                near.shutdown(socket.SHUT_RDWR)
            except Reset:
                near.shutdown(socket.SHUT_RD)  # a thread that still receives would keep the connection from closing
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()
            far.close()


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    standing = Proxy(port)
    try:
        yield standing
    finally:
        standing.close()


def untouched(piece: bytes) -> Iterator[bytes | float]:
    yield piece


def delayed(piece: bytes) -> Iterator[bytes | float]:
    yield 0.2
    yield piece


def trickled(piece: bytes) -> Iterator[bytes | float]:
    """A byte each 3 ms: the first arrives in time, the last does not."""
    for position in range(len(piece)):
        yield piece[position : position + 1]
        yield 0.003


def truncated(piece: bytes) -> Iterator[bytes | float]:
    yield piece[: len(piece) // 2]
    raise Cut


def reset(piece: bytes) -> Iterator[bytes | float]:
    raise Reset
    yield b""


def garbled(piece: bytes) -> Iterator[bytes | float]:
    yield b"HTTP/1.1 400 Bad Request\r\n\r\n"


def swallowed(piece: bytes) -> Iterator[bytes | float]:
    yield from ()


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    with suppress(OSError):
        while piece := near.recv(1 << 16):
            far.sendall(piece)
        far.shutdown(socket.SHUT_WR)
